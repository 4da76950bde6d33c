import { resolve } from "node:path";

import {
  type ClientEvent,
  ConfiguredHosts,
  RegistryClient,
  type Repository,
  type RetryOptions,
  SocketTransport,
  SplitBudget,
  loadTlsSettings,
  selectProxy,
} from "../client/index.ts";
import type { CredentialSource } from "../credentials/index.ts";
import type { SignalOptions } from "../oci/index.ts";
import type { Reference } from "../reference/index.ts";
import type { CommandContext } from "./context.ts";
import { type CredentialValues, credentialSource } from "./credentials-option.ts";
import { UsageError } from "./errors.ts";
import { readSplit } from "./settings.ts";
import { printable } from "./terminal/width.ts";
import { readVersion } from "./version.ts";

export interface ConnectValues extends CredentialValues {
  readonly "plain-http"?: boolean;
  readonly insecure?: boolean;
  readonly "tls-ca"?: string;
  readonly "tls-cert"?: string;
  readonly "tls-key"?: string;
  readonly "hosts-dir"?: readonly string[];
  readonly "blob-connections"?: string;
  readonly debug?: boolean;
}

/** Registries as commands use them. */
export interface RegistryAccess extends AsyncDisposable {
  /** The same registries over the same connections, as somebody else. It lasts as long as this one. */
  as(credentials: CredentialSource): Pick<RegistryAccess, "repository">;
  repository(reference: Pick<Reference, "domain" | "path">): Repository;
  /** @throws ClientError `UNAUTHORIZED` when the registry refuses who we are */
  checkLogin(registry: string, options: SignalOptions): Promise<void>;
  close(): Promise<void>;
}

export interface ConnectSettings {
  /** Who we are, instead of what the options and Docker's configuration say. */
  readonly credentials?: CredentialSource | undefined;
  readonly retry?: RetryOptions | undefined;
}

/**
 * A client set up by the options of a command line. The caller closes it.
 *
 * @param registries whom a `--username` is meant for; its password goes to nobody else
 */
export async function connect(
  values: ConnectValues,
  registries: readonly string[],
  context: CommandContext,
  { credentials, retry }: ConnectSettings = {},
): Promise<RegistryAccess> {
  const { env, stderr, clock, cwd } = context;
  const warn = (text: string): void => void stderr.write(`Warning: ${printable(text)}\n`);
  const tls = await loadTlsSettings(readTlsFiles(values, cwd));
  const roots = (values["hosts-dir"] ?? []).map((folder) => resolve(cwd, folder));
  const split = readSplit(values);
  const transport = new SocketTransport({ proxy: (url) => selectProxy(url, env) });
  const settings = {
    send: transport.send,
    retry,
    // One for all identities: what is held back of parts is this process's memory, whosever they are.
    split: split === false ? split : new SplitBudget(split),
    hosts: new ConfiguredHosts({
      roots,
      ...(Object.keys(tls).length > 0 && { tls }),
      ...(values["plain-http"] === true && { defaultScheme: "http" }),
      log: warn,
    }),
    userAgent: `dray/${await readVersion()}`,
    clock: () => clock.now(),
    onWarning: warn,
    ...(values.debug === true && {
      onEvent: (event: ClientEvent): void => void stderr.write(`${printable(JSON.stringify(event))}\n`),
    }),
  };
  const clientOf = (source: CredentialSource): RegistryClient =>
    new RegistryClient({ ...settings, credentials: source });
  const client = clientOf(credentials ?? (await credentialSource(values, registries, context)));
  const close = (): Promise<void> => transport.close();
  return {
    repository: ({ domain, path }) => client.repository(domain, path),
    as: (source) => {
      const other = clientOf(source);
      return { repository: ({ domain, path }) => other.repository(domain, path) };
    },
    checkLogin: (registry, options) => client.ping(registry, options),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** The files that options name, for loading. */
export function readTlsFiles(values: ConnectValues, cwd: string): Parameters<typeof loadTlsSettings>[0] {
  const ca = values["tls-ca"];
  const cert = values["tls-cert"];
  const key = values["tls-key"];
  if (key !== undefined && cert === undefined)
    throw new UsageError("Option --tls-key needs --tls-cert beside it");
  return {
    ...(ca !== undefined && { ca: [resolve(cwd, ca)] }),
    ...(cert !== undefined && {
      client: [[resolve(cwd, cert), key === undefined ? "" : resolve(cwd, key)] as const],
    }),
    ...(values.insecure === true && { skipVerify: true }),
  };
}
