/**
 * The configuration of a registry that serves, as YAML or JSON:
 *
 * ```yaml
 * listen:
 *   address: "::"                       # 127.0.0.1 by default; "::" for all addresses
 *   port: 5000
 *   tls:                                # read again when a file changes
 *     certificate: tls.crt              # PEM: ours, then those that vouch for it
 *     key: tls.key
 *     clientCA: clients.pem             # clients then need a certificate of theirs
 *   http2: true                         # with tls, for clients that offer it
 *   idle: 2m                            # a connection on which nothing moves for so long is cut
 *   farewell: 5s                        # when it ends: so long it says so to load balancers and goes on
 *   drain: 30s                          # and so long requests under way may take
 * storage:
 *   folder: /var/lib/dray/registry
 *   uploads: 7d                         # so long an upload may lie untouched
 *   cache: 64MiB                        # of memory, for manifests
 *   sparse: false                       # take manifests whose parts aren't here
 *   deletable: true
 * access: {}                            # who may do what, or the name of a file that says it
 * limits:
 *   manifest: 4MiB
 *   blob: 20GiB
 *   rules:
 *     - { repositories: ["team/**"], maxBytes: 100GiB, maxTags: 1000, immutableTags: ["v*"] }
 *   quotas:
 *     - { under: tenant-a, maxBytes: 1TiB }
 * collection:                           # of garbage, while it serves
 *   every: 1h                           # an hour by default; never: false
 *   grace: 1h                           # so long stays what was pushed and is named by nothing
 *   timeLimit: 10m                      # the next run goes on
 * retention:                            # without it every tag stays
 *   - { repositories: ["ci/**"], keepLast: 20, keepWithin: 14d, keepTags: ["release-*"], untaggedAfter: 7d }
 * mirror:                               # other registries, fetched when asked for and kept
 *   upstreams: [{ registry: docker.io, prefix: hub }]
 * notifications:
 *   - name: builds
 *     url: https://hooks.example.com/registry
 *     headers: { X-Team: images }
 *     headerFiles: { Authorization: token.txt }   # secrets, read when it starts and at SIGHUP
 *     actions: [push, delete]                     # all of push, pull, mount, delete without it
 *     repositories: ["team/**"]
 * audit:
 *   file: audit.log                     # in the storage folder
 *   sync: second                        # always, second or never
 *   required: false                     # refuse changes that can't be written down
 *   maxSize: 100MiB
 *   keep: 10
 * log:
 *   format: json                        # or combined
 *   file: access.log                    # standard output without it
 * metrics: { address: 127.0.0.1, port: 5001 }
 * ```
 *
 * Everything is optional. File names are relative to the configuration's own folder, unless said otherwise.
 */
import type { AccessConfig } from "../access/config.ts";
import type { CollectionSettings } from "../collect/collector.ts";
import type { LimitsConfig } from "../limits.ts";
import type { MirrorConfig } from "../mirror/config.ts";
import type { NotificationEvent } from "../operations/notifications/event.ts";

/** The configuration as it is used: times in milliseconds, sizes in bytes, file names absolute. */
export interface RegistrySettings {
  readonly listen: ListenSettings;
  readonly storage: StorageSettings;
  readonly access: AccessSettings | undefined;
  readonly limits: LimitsSettings;
  /** With the rules of retention. */
  readonly collection: CollectionSettings;
  readonly mirror: MirrorSettings | undefined;
  readonly notifications: readonly EndpointSettings[];
  readonly audit: AuditSettings | undefined;
  readonly log: LogSettings | undefined;
  readonly metrics: MetricsSettings | undefined;
}

export interface ListenSettings {
  readonly address: string | undefined;
  readonly port: number | undefined;
  readonly tls: TlsFiles | undefined;
  readonly http2: boolean;
  readonly idle: number | undefined;
  readonly farewell: number;
  readonly drain: number;
}

export interface TlsFiles {
  readonly certificate: string;
  readonly key: string;
  readonly clientCa: string | undefined;
}

export interface StorageSettings {
  readonly folder: string | undefined;
  readonly uploads: number | undefined;
  readonly cache: number | undefined;
  readonly sparse: boolean;
  readonly deletable: boolean;
}

export interface AccessSettings {
  readonly config: AccessConfig;
  /** What its file names are relative to. */
  readonly folder: string;
  /** The file it stands in, if it has one of its own. */
  readonly file: string | undefined;
}

export interface MirrorSettings {
  readonly config: MirrorConfig;
  /** What its file names are relative to. */
  readonly folder: string;
}

export interface LimitsSettings extends LimitsConfig {
  readonly maxManifestSize: number | undefined;
  readonly maxBlobSize: number | undefined;
}

export interface EndpointSettings {
  readonly name: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly headerFiles: Readonly<Record<string, string>>;
  readonly actions: readonly NotificationEvent["action"][] | undefined;
  readonly repositories: readonly string[] | undefined;
  readonly timeout: number;
  readonly batch: number;
  readonly attempts: number;
  readonly backOff: { readonly first: number; readonly most: number };
}

export interface FileSettings {
  readonly maxSize: number;
  readonly keep: number;
}

export interface AuditSettings extends FileSettings {
  /** Relative to the storage folder, or absolute. */
  readonly file: string;
  readonly sync: "always" | "second" | "never";
  readonly required: boolean;
}

export interface LogSettings extends FileSettings {
  readonly format: "json" | "combined";
  /** `undefined` for standard output. */
  readonly file: string | undefined;
}

export interface MetricsSettings {
  readonly address: string;
  readonly port: number;
  readonly path: string;
}
