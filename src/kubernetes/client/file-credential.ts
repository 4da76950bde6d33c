import { readFile } from "node:fs/promises";

import { Secret } from "../../internal/secret.ts";
import type { ApiCredential, ApiCredentialSource } from "./authenticate.ts";
import type { Clock } from "./clock.ts";
import { KubernetesClientError } from "./errors.ts";

export interface FileCredentialOptions {
  /** Whose files these are, for messages. */
  readonly what: string;
  readonly clock: Clock;
  /** Counts before `token` for as long as it can be read. */
  readonly tokenFile?: string | undefined;
  readonly token?: Secret | undefined;
  readonly basic?: ApiCredential["basic"];
  readonly certificateFile?: string | undefined;
  readonly certificate?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly key?: Secret | undefined;
}

/** Tokens of ServiceAccounts and short-lived certificates are replaced in their files well before they end. */
const REREAD_MS = 60_000;

/** Credentials from files that are read again every minute. What can't be read for a moment stays what it was. */
export function fileCredential(options: FileCredentialOptions): ApiCredentialSource {
  let known: ApiCredential | undefined;
  let readAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<ApiCredential> | undefined;
  const refresh = async (): Promise<ApiCredential> => {
    try {
      known = await read(options);
    } catch (error) {
      if (known === undefined) throw error;
    }
    readAt = options.clock.now();
    return known;
  };
  return {
    get: async () => {
      if (known !== undefined && options.clock.now() - readAt < REREAD_MS) return known;
      reading ??= refresh().finally(() => {
        reading = undefined;
      });
      return await reading;
    },
    renew: () => {
      readAt = Number.NEGATIVE_INFINITY;
    },
  };
}

async function read(options: FileCredentialOptions): Promise<ApiCredential> {
  const text = async (name: string, path: string | undefined): Promise<string | undefined> => {
    if (path === undefined) return undefined;
    try {
      return await readFile(path, "utf8");
    } catch (cause) {
      const { code = "" } = cause as NodeJS.ErrnoException;
      const message = `Cannot use ${options.what} has ${name} "${path}", which can't be read (${code})`;
      throw new KubernetesClientError("CONFIG_UNREADABLE", message, { cause });
    }
  };
  const token = (await text("tokenFile", options.tokenFile))?.trim();
  if (token === "") {
    const message = `Cannot use ${options.what} has tokenFile "${options.tokenFile}", which is empty`;
    throw new KubernetesClientError("CONFIG_INVALID", message);
  }
  const certificate = options.certificate ?? (await text("client-certificate", options.certificateFile));
  const keyText = options.key?.reveal() ?? (await text("client-key", options.keyFile));
  return {
    token: token === undefined ? options.token : new Secret(token),
    basic: options.basic,
    ...(certificate !== undefined &&
      keyText !== undefined && { certificate: { certificate, key: new Secret(keyText) } }),
  };
}
