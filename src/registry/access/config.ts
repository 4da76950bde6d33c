/**
 * The configuration of who may do what, as YAML or JSON:
 *
 * ```yaml
 * realm: registry.example.com              # what clients show when they ask for a password
 * htpasswd: users.htpasswd                 # made by htpasswd -B; read again when it changes
 * groups:
 *   developers: [alice, bob, robot:ci]
 * policies:                                # without any: users may do everything
 *   - repositories: ["public/**"]
 *     actions: [pull]
 *     subjects: [everyone]
 *   - name: developers push
 *     repositories: ["team/**", "users/{user}/**"]
 *     actions: [pull, push, delete]
 *     subjects: [group:developers]         # everyone, users, user:NAME, group:NAME, robot:NAME
 *   - effect: deny                         # nothing brings back what is denied
 *     repositories: ["team/released"]
 *     actions: [delete]
 *     subjects: [everyone]
 * tokens:                                  # our own token service; without it clients send passwords each time
 *   service: registry.example.com
 *   lifetime: 5m
 * trusted:                                 # tokens of somebody else's issuer
 *   - issuer: https://issuer.example.com
 *     audience: registry.example.com
 *     jwks: https://issuer.example.com/jwks.json
 * lockOut: { account: 10, address: 50, recovery: 1m }
 * trustedProxies: [10.0.0.0/8]
 * ```
 *
 * Everything is optional. File names are relative to the configuration's own folder.
 */
import type { BlockList } from "node:net";

import type { Document, LineCounter } from "yaml";

import { yaml } from "../../internal/yaml.ts";
import { RegistryError } from "../errors.ts";
import { parseConfigDocument } from "./config-document.ts";
import { ConfigReader, formatPath, type Fault, type Path } from "./config-reader.ts";
import { readGroups, readRules } from "./config-rules.ts";
import { DEFAULT_LIMITS, type LockOutLimits } from "./lock-out.ts";
import { parseNetworks } from "./origin.ts";
import type { Policy } from "./policy.ts";
import type { SigningAlgorithm } from "./signing-keys.ts";

/** The configuration as it is written; see the table above. */
export interface AccessConfig {
  readonly realm?: string;
  readonly htpasswd?: string;
  readonly groups?: Readonly<Record<string, readonly string[]>>;
  readonly policies?: readonly PolicyConfig[];
  readonly tokens?: TokensConfig;
  readonly trusted?: readonly TrustedConfig[];
  /** `false` turns it off. */
  readonly lockOut?:
    | { readonly account?: number; readonly address?: number; readonly recovery?: string }
    | false;
  /** Networks whose word on where a request came from is taken. */
  readonly trustedProxies?: readonly string[];
}

export interface PolicyConfig {
  /** For reasons and logs. */
  readonly name?: string;
  readonly effect?: "allow" | "deny";
  readonly repositories: readonly string[];
  readonly actions: readonly ("pull" | "push" | "delete")[];
  readonly subjects: readonly string[];
}

export interface TokensConfig {
  /** The URL that clients are sent to; by default the host they asked, with `path`. */
  readonly realm?: string;
  /** `/auth/token` by default. */
  readonly path?: string;
  /** Whom tokens are for; `realm` of the whole configuration by default. */
  readonly service?: string;
  /** Who signs; `service` by default. */
  readonly issuer?: string;
  /** `5m` by default, `60s` at least. */
  readonly lifetime?: string;
  /** Of refresh tokens; `90d` by default. */
  readonly refresh?: string;
  /** Private keys, PEM files; the first one signs. Without any, keys are made and kept with the robots. */
  readonly keys?: readonly string[];
  /** Of keys that are made; `ES256` by default. */
  readonly algorithm?: SigningAlgorithm;
  /** How long a key that was made signs; `90d` by default. */
  readonly rotate?: string;
}

export interface TrustedConfig {
  readonly issuer: string;
  readonly audience: string;
  /** A JWK set: a URL, or a file, which may also hold keys or certificates in PEM. */
  readonly jwks?: string;
  /** A PEM file of certificates; tokens may bring a chain (`x5c`) that ends in one of them. */
  readonly roots?: string;
  /** Where clients get tokens; needed unless `tokens` says so. */
  readonly realm?: string;
  /**
   * Who decides what a bearer may do: the issuer, by the token's `access` claim, or the policies here, about the
   * user in `sub`. `claims` by default.
   */
  readonly decides?: "claims" | "policies";
  /** Put before `sub` to make a user's name, so that nobody there is taken for somebody here. */
  readonly prefix?: string;
  /** The claim that lists a user's groups; `groups` by default. */
  readonly groups?: string;
}

/** The configuration as it is used. */
export interface CompiledAccess {
  readonly realm: string;
  readonly htpasswd: string | undefined;
  readonly groups: ReadonlyMap<string, readonly string[]>;
  readonly policy: Policy;
  readonly tokens: CompiledTokens | undefined;
  readonly trusted: readonly TrustedConfig[];
  readonly lockOut: LockOutLimits | undefined;
  readonly proxies: BlockList;
}

export interface CompiledTokens {
  readonly realm: string | undefined;
  readonly path: string;
  readonly service: string;
  readonly issuer: string;
  readonly lifetime: number;
  readonly refresh: number;
  readonly keys: readonly string[];
  readonly algorithm: SigningAlgorithm;
  readonly rotate: number;
}

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/**
 * Reads a configuration.
 *
 * @throws RegistryError `CONFIG_INVALID` with every fault and its line
 */
export function parseAccessConfig(text: string, path: string): AccessConfig {
  const { document, lines, faults: broken } = parseConfigDocument(text);
  const [first] = broken;
  if (first !== undefined) throw invalid(path, [`line ${first.line}: ${first.why}`]);
  const value: unknown = document.toJS() ?? {};
  const { faults } = compile(value);
  if (faults.length > 0) {
    throw invalid(
      path,
      faults.map((fault) => `line ${lineOf(document, lines, fault.path)}: ${describe(fault)}`),
    );
  }
  return value as AccessConfig;
}

/** What is wrong with a configuration that was read already, with the way to each fault; nothing when it is good. */
export function findAccessFaults(value: unknown): readonly Fault[] {
  return compile(value).faults;
}

/**
 * The networks whose word on where a request came from is taken.
 *
 * @throws RegistryError `CONFIG_INVALID`
 */
export function proxiesOf(config: AccessConfig): BlockList {
  return compileAccessConfig(config).proxies;
}

/** @throws RegistryError `CONFIG_INVALID` */
export function compileAccessConfig(config: AccessConfig): CompiledAccess {
  const { compiled, faults } = compile(config);
  if (faults.length > 0) throw invalid(undefined, faults.map(describe));
  return compiled;
}

function compile(value: unknown): { readonly compiled: CompiledAccess; readonly faults: readonly Fault[] } {
  const reader = new ConfigReader();
  const known = ["realm", "htpasswd", "groups", "policies", "tokens", "trusted", "lockOut", "trustedProxies"];
  const config = reader.object(value, [], known) ?? {};
  const realm = reader.text(config["realm"], ["realm"]) ?? "dray";
  const tokens = readTokens(reader, config["tokens"], realm);
  const compiled = {
    realm,
    htpasswd: reader.text(config["htpasswd"], ["htpasswd"]),
    groups: readGroups(reader, config["groups"]),
    policy: { rules: readRules(reader, config["policies"]) },
    tokens,
    trusted: readTrusted(reader, config["trusted"], tokens !== undefined),
    lockOut: readLockOut(reader, config["lockOut"]),
    proxies: readProxies(reader, config["trustedProxies"]),
  };
  return { compiled, faults: reader.faults };
}

function readTokens(reader: ConfigReader, value: unknown, realm: string): CompiledTokens | undefined {
  const at = (name: string): Path => ["tokens", name];
  const known = ["realm", "path", "service", "issuer", "lifetime", "refresh", "keys", "algorithm", "rotate"];
  const tokens = reader.object(value, ["tokens"], known);
  if (tokens === undefined) return undefined;
  const path = reader.text(tokens["path"], at("path")) ?? "/auth/token";
  if (!/^\/[A-Za-z0-9/_.-]*[A-Za-z0-9_-]$/.test(path) || /^\/v2(\/|$)/.test(path)) {
    reader.fault(at("path"), "is not a path outside /v2/; write /auth/token");
  }
  const service = reader.text(tokens["service"], at("service")) ?? realm;
  return {
    realm: reader.url(tokens["realm"], at("realm")),
    path,
    service,
    issuer: reader.text(tokens["issuer"], at("issuer")) ?? service,
    lifetime: reader.duration(tokens["lifetime"], at("lifetime"), MINUTE) ?? 5 * MINUTE,
    refresh: reader.duration(tokens["refresh"], at("refresh"), MINUTE) ?? 90 * DAY,
    keys: reader.texts(tokens["keys"], at("keys")),
    algorithm: reader.oneOf(tokens["algorithm"], at("algorithm"), ["ES256", "RS256", "EdDSA"]) ?? "ES256",
    rotate: reader.duration(tokens["rotate"], at("rotate"), MINUTE) ?? 90 * DAY,
  };
}

function readTrusted(reader: ConfigReader, value: unknown, realmKnown: boolean): readonly TrustedConfig[] {
  return reader.list(value, ["trusted"]).flatMap((one, index): TrustedConfig[] => {
    const at = (name: string): Path => ["trusted", index, name];
    const known = ["issuer", "audience", "jwks", "roots", "realm", "decides", "prefix", "groups"];
    const entry = reader.object(one, ["trusted", index], known);
    if (entry === undefined) return [];
    const text = (name: string): string | undefined => reader.text(entry[name], at(name));
    const [issuer, audience, jwks, roots] = [text("issuer"), text("audience"), text("jwks"), text("roots")];
    if (entry["issuer"] === undefined)
      reader.fault(at("issuer"), "is missing; write what its tokens have as iss");
    if (entry["audience"] === undefined)
      reader.fault(at("audience"), "is missing; write what its tokens have as aud");
    if (entry["jwks"] === undefined && entry["roots"] === undefined) {
      reader.fault(at("jwks"), "is missing; its tokens are checked with keys (jwks) or certificates (roots)");
    }
    const realm = reader.url(entry["realm"], at("realm"));
    if (entry["realm"] === undefined && !realmKnown && index === 0) {
      reader.fault(at("realm"), "is missing; write the URL where clients get tokens");
    }
    const decides = reader.oneOf(entry["decides"], at("decides"), ["claims", "policies"]);
    const [prefix, groups] = [text("prefix"), text("groups")];
    return [
      {
        issuer: issuer ?? "",
        audience: audience ?? "",
        ...(jwks !== undefined && { jwks }),
        ...(roots !== undefined && { roots }),
        ...(realm !== undefined && { realm }),
        ...(decides !== undefined && { decides }),
        ...(prefix !== undefined && { prefix }),
        ...(groups !== undefined && { groups }),
      },
    ];
  });
}

function readLockOut(reader: ConfigReader, value: unknown): LockOutLimits | undefined {
  if (value === false) return undefined;
  const limits = reader.object(value, ["lockOut"], ["account", "address", "recovery"]) ?? {};
  return {
    account: reader.count(limits["account"], ["lockOut", "account"], 1) ?? DEFAULT_LIMITS.account,
    address: reader.count(limits["address"], ["lockOut", "address"], 1) ?? DEFAULT_LIMITS.address,
    recovery: reader.duration(limits["recovery"], ["lockOut", "recovery"], 1_000) ?? DEFAULT_LIMITS.recovery,
  };
}

function readProxies(reader: ConfigReader, value: unknown): BlockList {
  const networks = parseNetworks(reader.texts(value, ["trustedProxies"]));
  if (!("fault" in networks)) return networks;
  reader.fault(["trustedProxies", networks.at], networks.fault);
  return parseNetworks([]) as BlockList;
}

function describe({ path, why }: Fault): string {
  return path.length === 0 ? `it ${why}` : `${formatPath(path)} ${why}`;
}

/** The line of a member, or of the nearest thing around it that is there. */
function lineOf(document: Document.Parsed, lines: LineCounter, path: Path): number {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true);
    if (yaml().isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return 1;
}

function invalid(path: string | undefined, faults: readonly string[]): RegistryError {
  const file = path === undefined ? "" : ` ${JSON.stringify(path)}`;
  const list = faults.length === 1 ? ` ${faults[0]}` : faults.map((fault) => `\n  ${fault}`).join("");
  return new RegistryError("CONFIG_INVALID", `Cannot use the access configuration${file}:${list}`);
}
