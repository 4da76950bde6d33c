import type { Secret } from "../../internal/secret.ts";
import type { HttpsTransport, Transport } from "./transport.ts";

/** What shows an API server who we are. */
export interface ApiCredential {
  readonly token?: Secret | undefined;
  readonly basic?: { readonly username: string; readonly password: Secret } | undefined;
  readonly certificate?: { readonly certificate: string; readonly key: Secret } | undefined;
}

/** Where credentials come from; most change while a process runs. */
export interface ApiCredentialSource {
  get(signal?: AbortSignal): Promise<ApiCredential>;
  /** Forgets what a server refused, where asking again may give something else. */
  renew?(): void;
}

export interface Impersonation {
  readonly user: string;
  readonly uid?: string | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly extra?: Readonly<Record<string, readonly string[]>> | undefined;
}

/** Adds credentials to requests; after a 401 once more with new ones, where there can be any. */
export function authenticate(
  connection: HttpsTransport,
  source: ApiCredentialSource,
  impersonation?: Impersonation,
): Transport {
  const extraHeaders = impersonation && impersonationHeaders(impersonation);
  const send = async (request: Request): Promise<Response> => {
    const { token, basic, certificate } = await source.get(request.signal);
    const { headers } = request;
    if (token !== undefined) headers.set("authorization", `Bearer ${token.reveal()}`);
    else if (basic !== undefined) {
      const pair = `${basic.username}:${basic.password.reveal()}`;
      headers.set("authorization", `Basic ${Buffer.from(pair).toString("base64")}`);
    }
    return await connection.send(request, {
      ...(certificate && {
        certificate: { certificate: certificate.certificate, key: certificate.key.reveal() },
      }),
      ...(extraHeaders && { headers: extraHeaders }),
    });
  };
  if (source.renew === undefined) return send;
  return async (request) => {
    const again = request.clone();
    const response = await send(request);
    if (response.status !== 401) return response;
    await response.body?.cancel();
    source.renew?.();
    return await send(again);
  };
}

/** The same credentials for as long as the process runs. */
export function fixedCredential(credential: ApiCredential): ApiCredentialSource {
  return { get: () => Promise.resolve(credential) };
}

/** Several values are several lines: a server reads a comma as part of a group's name. */
function impersonationHeaders(who: Impersonation): Record<string, readonly string[]> {
  const extra = Object.entries(who.extra ?? {}).map(([key, values]): [string, readonly string[]] => [
    `Impersonate-Extra-${encodeURIComponent(key.toLowerCase())}`,
    values,
  ]);
  return {
    "Impersonate-User": [who.user],
    ...(who.uid !== undefined && { "Impersonate-Uid": [who.uid] }),
    ...(who.groups !== undefined && who.groups.length > 0 && { "Impersonate-Group": who.groups }),
    ...Object.fromEntries(extra),
  };
}
