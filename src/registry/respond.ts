import { ERROR_STATUS, formatErrorBody } from "../oci/index.ts";
import type { DistributionError, DistributionErrorCode } from "../oci/index.ts";
import type { Access, Decision } from "./access.ts";
import type { RegistryResponse, ResponseStream } from "./request.ts";

/** Header values by name; a list becomes one header for each of its values. */
export type ResponseHeaders = Readonly<Record<string, string | number | readonly string[]>>;

const ALWAYS: readonly string[] = [
  "Docker-Distribution-Api-Version",
  "registry/2.0",
  "X-Content-Type-Options",
  "nosniff",
];

/** An answer with the headers every answer has. */
export function respond(
  status: number,
  headers: ResponseHeaders,
  body?: Uint8Array | ResponseStream,
): RegistryResponse {
  const wire = [...ALWAYS];
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value === "object") for (const one of value) wire.push(name, one);
    else wire.push(name, String(value));
  }
  return { status, headers: wire, body };
}

/** An answer of success that is a text. */
export function respondText(
  mediaType: string,
  text: string,
  headers: ResponseHeaders = {},
): RegistryResponse {
  const body = Buffer.from(text);
  return respond(200, { "Content-Type": mediaType, "Content-Length": body.length, ...headers }, body);
}

export function respondJson(document: unknown, headers: ResponseHeaders = {}): RegistryResponse {
  return respondText("application/json", JSON.stringify(document), headers);
}

/** Where the rest of a list is to be had. */
export function linkToNext(path: string, query: Readonly<Record<string, string>>): ResponseHeaders {
  return { Link: `<${path}?${new URLSearchParams(query).toString()}>; rel="next"` };
}

export interface RefusalOptions {
  readonly detail?: unknown;
  /** Where the code's own status doesn't say enough. */
  readonly status?: number | undefined;
  readonly headers?: ResponseHeaders | undefined;
}

/** The protocol's answer for "no". */
export function refuse(
  code: DistributionErrorCode,
  message: string,
  options: RefusalOptions = {},
): RegistryResponse {
  const error = { code, message, ...(options.detail !== undefined && { detail: options.detail }) };
  return refuseAll(options.status ?? ERROR_STATUS[code], [error], options.headers);
}

/** The same for several reasons at once, and for codes that the protocol doesn't know. */
export function refuseAll(
  status: number,
  errors: readonly DistributionError[],
  headers: ResponseHeaders = {},
): RegistryResponse {
  const body = Buffer.from(formatErrorBody(errors));
  const all = { "Content-Type": "application/json", "Content-Length": body.length, ...headers };
  return respond(status, all, body);
}

const DENIALS = { 401: "UNAUTHORIZED", 403: "DENIED", 429: "TOOMANYREQUESTS" } as const;

/** The answer for a request that may not have the access it wants; a token is asked for with all of `wish`. */
export function deny(
  decision: Extract<Decision, { readonly allowed: false }>,
  wanted: readonly Access[],
  wish: readonly Access[] = wanted,
): RegistryResponse {
  const { status, reason, retryAfter } = decision;
  const challenge =
    wish === wanted ? decision.challenge : (decision.challengeFor?.(wish) ?? decision.challenge);
  const detail = wanted.flatMap(({ type, name, actions }) =>
    actions.map((action) => ({ Type: type, Class: "", Name: name, Action: action })),
  );
  return refuse(DENIALS[status], reason, {
    ...(detail.length > 0 && status !== 429 && { detail }),
    headers: {
      ...(challenge !== undefined && { "WWW-Authenticate": challenge }),
      ...(retryAfter !== undefined && { "Retry-After": retryAfter }),
    },
  });
}

/** What a HEAD gets for what a GET would have got. */
export async function withoutBody(response: RegistryResponse): Promise<RegistryResponse> {
  const { status, headers, body } = response;
  if (body === undefined) return response;
  if (!(body instanceof Uint8Array)) await body.close();
  return { status, headers };
}
