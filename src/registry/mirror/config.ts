/**
 * The configuration of a mirror, as YAML or JSON:
 *
 * ```yaml
 * upstreams:
 *   - registry: docker.io                # as image names spell it; ?ns=docker.io asks for it
 *     prefix: hub                        # library/nginx is hub/library/nginx here; the registry's name by default
 *     repositories:                      # all without it; what is denied no allow brings back
 *       allow: ["library/**"]
 *       deny: ["library/secret*"]
 *     credentials: { username: me, passwordFile: token.txt }
 *     ttl: 5m                            # so long a tag is believed without asking
 *     staleWhileRevalidate: 1h           # and so much longer, while it is asked about in the background
 *     maxStale: 30d                      # and so long at most, while the upstream can't be asked
 *   - registry: ghcr.io
 *     credentials: callers               # everybody shows their own; none, by default, shows nothing
 *   - registry: registry.corp.example:5000
 *     prefix: corp
 *     url: https://10.0.0.7:5000         # where it is, if not where its name says
 *     tls: { ca: corp.pem }
 *     rateLimit: { requests: 100, per: 6h }
 * cache: { size: 100GiB }                # least recently used blobs go first
 * local: [registry.example.com]          # ?ns= of these means what was pushed here
 * askForLogin: false                     # at /v2/, for clients that look nowhere else
 * ```
 *
 * Only `registry` is needed. File names are relative to the configuration's own folder.
 */
import { yaml } from "../../internal/yaml.ts";
import { parseConfigDocument } from "../access/config-document.ts";
import { ConfigReader, formatPath, type Fault, type Path } from "../access/config-reader.ts";
import { RegistryError } from "../errors.ts";
import { readFlag, readUpstreams } from "./config-upstreams.ts";
import type { RepositoryRules } from "./repository-rules.ts";

/** The configuration as it is written; see the table above. */
export interface MirrorConfig {
  readonly upstreams: readonly UpstreamConfig[];
  readonly cache?: { readonly size?: string | number };
  /** Names of this registry: with them, `ns=` asks for its own repositories. */
  readonly local?: readonly string[];
  /**
   * Ask for a login at `/v2/`, and take any there: for `credentials: callers` with clients that otherwise never show
   * theirs. Those that come without one may then refuse to go on.
   */
  readonly askForLogin?: boolean;
}

export interface UpstreamConfig {
  readonly registry: string;
  /** `""` makes this upstream's every repository that no other prefix takes. */
  readonly prefix?: string;
  readonly url?: string;
  readonly repositories?: { readonly allow?: readonly string[]; readonly deny?: readonly string[] };
  readonly credentials?: "none" | "callers" | CredentialsConfig;
  readonly tls?: TlsConfig;
  readonly ttl?: string;
  readonly staleWhileRevalidate?: string;
  readonly maxStale?: string;
  /** How long "it is not there" is believed; `10s` by default. */
  readonly negativeTtl?: string;
  /** With `credentials: callers`: how long the upstream's word that somebody may pull is believed; `5m`. */
  readonly proof?: string;
  readonly rateLimit?: { readonly requests: number; readonly per: string };
  /** Blobs under way at a time; 16 by default. */
  readonly downloads?: number;
  readonly maxBlobSize?: string | number;
  /** Bring a blob here to its end, though everybody who asked for it left; no by default. */
  readonly finish?: boolean;
  /** How long an upstream that can't be reached is left alone; `5s` by default. */
  readonly downTime?: string;
}

export interface CredentialsConfig {
  readonly username: string;
  /** Read each time it is needed, so that it can be replaced. */
  readonly passwordFile: string;
}

export interface TlsConfig {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Accept any certificate. */
  readonly insecure?: boolean;
}

/** The configuration as it is used; times in milliseconds, sizes in bytes. */
export interface CompiledMirror {
  readonly upstreams: readonly UpstreamSettings[];
  /** Of blobs; no limit without. */
  readonly cacheSize: number | undefined;
  readonly local: ReadonlySet<string>;
  readonly askForLogin: boolean;
}

export interface UpstreamSettings {
  readonly registry: string;
  readonly prefix: string;
  readonly url: string | undefined;
  readonly repositories: RepositoryRules;
  readonly credentials: "none" | "callers" | CredentialsConfig;
  readonly tls: TlsConfig;
  readonly ttl: number;
  readonly staleWhileRevalidate: number;
  readonly maxStale: number;
  readonly negativeTtl: number;
  readonly proof: number;
  readonly rateLimit: { readonly requests: number; readonly per: number } | undefined;
  readonly downloads: number;
  readonly maxBlobSize: number;
  readonly finish: boolean;
  readonly downTime: number;
}

/**
 * Reads a configuration.
 *
 * @throws RegistryError `CONFIG_INVALID` with every fault and its line
 */
export function parseMirrorConfig(text: string, path: string): MirrorConfig {
  const { document, lines, faults: broken } = parseConfigDocument(text);
  const [first] = broken;
  if (first !== undefined) throw invalid(path, [`line ${first.line}: ${first.why}`]);
  const value: unknown = document.toJS();
  const faults = findMirrorFaults(value);
  if (faults.length === 0) return value as MirrorConfig;
  const lineOf = (at: Path): number => {
    for (let length = at.length; length > 0; length--) {
      const node = document.getIn(at.slice(0, length), true);
      if (yaml().isNode(node) && node.range) return lines.linePos(node.range[0]).line;
    }
    return 1;
  };
  throw invalid(
    path,
    faults.map((fault) => `line ${lineOf(fault.path)}: ${describe(fault)}`),
  );
}

/** What is wrong with a configuration that was read already, with the way to each fault; nothing when it is good. */
export function findMirrorFaults(value: unknown): readonly Fault[] {
  return compile(value).faults;
}

/** @throws RegistryError `CONFIG_INVALID` */
export function compileMirrorConfig(config: MirrorConfig): CompiledMirror {
  const { compiled, faults } = compile(config);
  if (faults.length > 0) throw invalid(undefined, faults.map(describe));
  return compiled;
}

/**
 * Which repositories hold only what somebody asked for.
 *
 * @throws RegistryError `CONFIG_INVALID`
 */
export function mirroredBy(config: MirrorConfig): (repository: string) => boolean {
  const prefixes = compileMirrorConfig(config).upstreams.map(({ prefix }) =>
    prefix === "" ? "" : `${prefix}/`,
  );
  return (repository) => prefixes.some((prefix) => repository.startsWith(prefix));
}

function compile(value: unknown): { readonly compiled: CompiledMirror; readonly faults: readonly Fault[] } {
  const reader = new ConfigReader();
  const config = reader.object(value ?? {}, [], ["upstreams", "cache", "local", "askForLogin"]) ?? {};
  const cache = reader.object(config["cache"], ["cache"], ["size"]);
  const upstreams = readUpstreams(reader, config["upstreams"]);
  if (config["upstreams"] === undefined) {
    reader.fault(["upstreams"], "is missing; list the registries to mirror, each with its registry");
  }
  const compiled = {
    upstreams,
    cacheSize: reader.size(cache?.["size"], ["cache", "size"]),
    local: new Set(reader.texts(config["local"], ["local"])),
    askForLogin: readFlag(reader, config["askForLogin"], ["askForLogin"]),
  };
  return { compiled, faults: reader.faults };
}

function describe({ path, why }: Fault): string {
  return path.length === 0 ? `it ${why}` : `${formatPath(path)} ${why}`;
}

function invalid(path: string | undefined, faults: readonly string[]): RegistryError {
  const file = path === undefined ? "" : ` ${JSON.stringify(path)}`;
  const list = faults.length === 1 ? ` ${faults[0]}` : faults.map((fault) => `\n  ${fault}`).join("");
  return new RegistryError("CONFIG_INVALID", `Cannot use the mirror configuration${file}:${list}`);
}
