import { readFile } from "node:fs/promises";
import { resolve } from "node:path";

import {
  ConfiguredHosts,
  type HostCapability,
  type HostResolver,
  loadTlsSettings,
  selectProxy,
  type SocketTransportOptions,
  type TlsSettings,
} from "../../client/index.ts";
import { type CredentialSource, Secret } from "../../credentials/index.ts";
import { RegistryError, UpstreamError, type Upstream, type UpstreamSettings } from "../../registry/index.ts";
import { readVersion } from "../version.ts";
import { ClientUpstream } from "./client-upstream.ts";

const CAPABILITIES: ReadonlySet<HostCapability> = new Set(["pull", "resolve", "referrers"]);
/** Milliseconds to connect; whoever waits here has somewhere else to go. */
const DIAL_TIMEOUT = 10_000;

export interface UpstreamOpenerOptions {
  /** What file names in the configuration are relative to. */
  readonly folder: string;
  /** Where proxies are looked up. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly transport?: Omit<SocketTransportOptions, "proxy"> | undefined;
  readonly clock?: (() => number) | undefined;
  readonly onWarning?: ((text: string) => void) | undefined;
}

/** Opens upstreams for `openMirror()`. */
export function upstreamOpener(
  options: UpstreamOpenerOptions,
): (settings: UpstreamSettings) => Promise<Upstream> {
  return async (settings) => {
    const { folder, env, transport, clock, onWarning } = options;
    const tls = await readTls(settings, folder);
    const url = settings.url === undefined ? undefined : new URL(settings.url);
    return new ClientUpstream({
      domain: url?.host ?? settings.registry,
      hosts: url === undefined ? hostsOf(tls) : hostAt(url, tls),
      credentials: ownCredentials(settings, folder),
      userAgent: `dray/${await readVersion()}`,
      clock,
      onWarning,
      transport: {
        ...transport,
        ...(env !== undefined && { proxy: (to: URL) => selectProxy(to, env) }),
      },
    });
  };
}

/**
 * Whether the files that an upstream's settings name can be used; its password, which a mirror reads when it needs it
 * first, too.
 *
 * @throws RegistryError `CONFIG_UNREADABLE`, ClientError `HOSTS_INVALID`
 */
export async function checkUpstreamFiles(settings: UpstreamSettings, folder: string): Promise<void> {
  await readTls(settings, folder);
  const { credentials, registry } = settings;
  if (typeof credentials === "string") return;
  try {
    await readPassword(resolve(folder, credentials.passwordFile), registry);
  } catch (cause) {
    if (!(cause instanceof UpstreamError)) throw cause;
    throw new RegistryError("CONFIG_UNREADABLE", cause.message, { cause });
  }
}

async function readTls({ tls }: UpstreamSettings, folder: string): Promise<TlsSettings> {
  const { ca, cert, key, insecure } = tls;
  const fileOf = (path: string): string => resolve(folder, path);
  return await loadTlsSettings({
    ...(ca !== undefined && { ca: [fileOf(ca)] }),
    ...(cert !== undefined && { client: [[fileOf(cert), key === undefined ? "" : fileOf(key)] as const] }),
    ...(insecure === true && { skipVerify: true }),
  });
}

/** Where the registry's name says it is. */
function hostsOf(tls: TlsSettings): HostResolver {
  const usual = new ConfiguredHosts(Object.keys(tls).length === 0 ? {} : { tls });
  return {
    async hosts(domain, options) {
      const hosts = await usual.hosts(domain, options);
      return hosts.map((host) => ({ ...host, dialTimeout: DIAL_TIMEOUT }));
    },
  };
}

/** Somewhere else, and nowhere but there. */
function hostAt(url: URL, tls: TlsSettings): HostResolver {
  const host = {
    scheme: url.protocol === "http:" ? ("http" as const) : ("https" as const),
    host: url.host,
    path: "/v2",
    capabilities: CAPABILITIES,
    tls,
    headers: {},
    dialTimeout: DIAL_TIMEOUT,
    httpFallback: false,
    upstream: true,
  };
  return { hosts: () => Promise.resolve([host]) };
}

/** The mirror's own login. Its password is read when it is needed first, and again when it was turned down. */
function ownCredentials({ credentials, registry }: UpstreamSettings, folder: string): CredentialSource {
  if (typeof credentials === "string") return { find: () => Promise.resolve([]) };
  const { username } = credentials;
  const path = resolve(folder, credentials.passwordFile);
  return {
    async find() {
      const password = await readPassword(path, registry);
      return [{ credential: { kind: "basic", username, password }, origin: { kind: "file", label: path } }];
    },
  };
}

async function readPassword(path: string, registry: string): Promise<Secret> {
  try {
    return new Secret((await readFile(path, "utf8")).trim());
  } catch (cause) {
    const message = `Cannot log in to ${JSON.stringify(registry)}: cannot read the password from ${JSON.stringify(path)}`;
    throw new UpstreamError("UPSTREAM_UNREACHABLE", message, { cause });
  }
}
