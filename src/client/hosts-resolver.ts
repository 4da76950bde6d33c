/**
 * Turns the registry of an image name into the endpoints to try. Everything on disk is read anew at every
 * resolution, so a changed `hosts.toml` needs no restart. A `hosts.toml` that can't be read is reported to `log` and then
 * treated as absent, as containerd does; a certificate that can't be loaded is an error, since going on without
 * it would fail later and less clearly.
 */
import { readdir, readFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { certFiles } from "./cert-files.ts";
import { chooseScheme, defaultHost, type Scheme } from "./default-host.ts";
import { ClientError } from "./errors.ts";
import type { HostResolver, RegistryHost } from "./host.ts";
import { type CriMirrors, criMirrorEndpoints, mirrorsFor } from "./hosts-cri-mirrors.ts";
import { findHostDirectory } from "./hosts-directory.ts";
import { ALL_CAPABILITIES, type HostsTomlEntry, parseHostsToml } from "./hosts-toml.ts";
import type { TlsSettings } from "./http.ts";
import { loadTlsSettings } from "./tls-settings.ts";

export interface HostsOptions {
  /** Configuration roots, the first with a directory for the host wins: `/etc/containerd/certs.d`. */
  readonly roots?: readonly string[] | undefined;
  /** For registries without their own `server`; see default-host.ts. */
  readonly defaultScheme?: Scheme | undefined;
  /** For every host, before what its own configuration adds. */
  readonly tls?: TlsSettings | undefined;
  /** The older list of mirrors; used only without `roots`. */
  readonly mirrors?: CriMirrors | undefined;
  /** Told, in a sentence, about configuration that is left out. */
  readonly log?: ((message: string) => void) | undefined;
}

/** Hosts as `certs.d` directories, `hosts.toml` and the built-in rules give them. */
export class ConfiguredHosts implements HostResolver {
  readonly #options: HostsOptions;

  constructor(options: HostsOptions = {}) {
    this.#options = options;
  }

  /** @throws ClientError `HOSTS_INVALID` */
  async hosts(
    domain: string,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<readonly RegistryHost[]> {
    options.signal?.throwIfAborted();
    const roots = this.#options.roots ?? [];
    const entries = roots.length === 0 ? this.#mirrors(domain) : await this.#configured(roots, domain);
    options.signal?.throwIfAborted();
    const hosts = await Promise.all(
      entries.map((entry, index) =>
        entry.host === "" && index === entries.length - 1
          ? this.#upstream(domain, entry)
          : this.#endpoint(entry, { upstream: index === entries.length - 1 }),
      ),
    );
    return hosts.filter((host) => host !== undefined);
  }

  async #configured(roots: readonly string[], domain: string): Promise<readonly HostsTomlEntry[]> {
    const directory = await findHostDirectory(roots, domain);
    if (directory === undefined) return [NOTHING];
    const path = join(directory, "hosts.toml");
    const text = await readIfPresent(path);
    try {
      const entries = await parseHostsToml(text, { directory });
      if (entries !== undefined) return entries;
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      this.#options.log?.(`${error.message} (${path}); it is left out`);
    }
    const { ca, client } = certFiles(await fileNames(directory));
    return [
      {
        ...NOTHING,
        ca: ca.length === 0 ? undefined : ca.map((name) => join(directory, name)),
        client:
          client.length === 0
            ? undefined
            : client.map(([cert, key]): [string, string] => [
                join(directory, cert),
                key === "" ? "" : join(directory, key),
              ]),
      },
    ];
  }

  #mirrors(domain: string): readonly HostsTomlEntry[] {
    const { mirrors } = this.#options;
    if (mirrors === undefined) return [NOTHING];
    const listed = mirrorsFor(mirrors, domain);
    const endpoints = criMirrorEndpoints(mirrors, domain);
    const entries = endpoints.slice(0, listed.length).flatMap((endpoint): HostsTomlEntry[] => {
      const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
      if (url === undefined) {
        this.#options.log?.(`Cannot use mirror "${endpoint}" of "${domain}": not a URL`);
        return [];
      }
      const path = url.pathname === "/" ? "/v2" : url.pathname;
      return [{ ...NOTHING, scheme: url.protocol.slice(0, -1), host: url.host, path }];
    });
    // An endpoint that was not listed is the registry's own, to which the default rules apply.
    return endpoints.length > listed.length ? [...entries, NOTHING] : entries;
  }

  async #upstream(domain: string, entry: HostsTomlEntry): Promise<RegistryHost> {
    const { defaultScheme } = this.#options;
    const found = defaultHost(domain, {
      defaultScheme,
      tlsConfigured: this.#options.tls !== undefined || hasTls(entry),
    });
    // Whoever says which authority to trust wants certificates checked, on this machine too.
    const unchecked = found.skipVerify && this.#options.tls?.ca === undefined;
    const skipVerify = entry.skipVerify ?? (unchecked ? true : undefined);
    return {
      scheme: found.scheme,
      host: found.host,
      path: "/v2",
      capabilities: new Set(ALL_CAPABILITIES),
      tls: await this.#tls({ ...entry, skipVerify }),
      headers: lowerCaseNames(entry.header),
      dialTimeout: entry.dialTimeout,
      httpFallback: found.httpFallback,
      upstream: true,
    };
  }

  async #endpoint(
    entry: HostsTomlEntry,
    { upstream }: { readonly upstream: boolean },
  ): Promise<RegistryHost | undefined> {
    const { scheme, host } = entry;
    if ((scheme !== "http" && scheme !== "https") || host === "") {
      this.#options.log?.(
        `Cannot use host "${scheme}://${host}${entry.path}": write it with https:// or http:// in front`,
      );
      return undefined;
    }
    const explicitTls = this.#options.tls !== undefined || hasTls(entry);
    return {
      ...chooseScheme({ scheme, host, explicitTls }),
      host,
      path: cleanPath(entry.path),
      capabilities: new Set(entry.capabilities),
      tls: await this.#tls(entry),
      headers: lowerCaseNames(entry.header),
      dialTimeout: entry.dialTimeout,
      upstream,
    };
  }

  async #tls(entry: HostsTomlEntry): Promise<TlsSettings> {
    const general = this.#options.tls ?? {};
    const own = await loadTlsSettings(entry);
    return {
      ...general,
      ...own,
      ...(general.ca && own.ca && { ca: [...general.ca, ...own.ca] }),
      ...(general.client && own.client && { client: [...general.client, ...own.client] }),
    };
  }
}

const NOTHING: HostsTomlEntry = {
  scheme: "",
  host: "",
  path: "",
  capabilities: ALL_CAPABILITIES,
  ca: undefined,
  client: undefined,
  skipVerify: undefined,
  header: {},
  dialTimeout: undefined,
};

function hasTls({ ca, client, skipVerify }: HostsTomlEntry): boolean {
  return ca !== undefined || client !== undefined || skipVerify !== undefined;
}

function cleanPath(path: string): string {
  return path === "" ? "" : posix.normalize(`/${path}`).replace(/(?<=.)\/$/, "");
}

function lowerCaseNames(
  header: Readonly<Record<string, readonly string[]>>,
): Readonly<Record<string, readonly string[]>> {
  const merged: Record<string, readonly string[]> = {};
  for (const [name, values] of Object.entries(header)) {
    const key = name.toLowerCase();
    merged[key] = [...(merged[key] ?? []), ...values];
  }
  return merged;
}

async function readIfPresent(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "unreadable";
    if (code === "ENOENT") return "";
    throw new ClientError("HOSTS_INVALID", `Cannot read "${path}": ${code}`, { cause });
  }
}

async function fileNames(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name);
}
