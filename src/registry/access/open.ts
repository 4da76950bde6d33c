import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";

import type { AccessControl } from "../access.ts";
import { RegistryError } from "../errors.ts";
import { Accounts } from "./accounts.ts";
import { compileAccessConfig, type AccessConfig, type CompiledAccess, type TrustedConfig } from "./config.ts";
import { RegistryAccess, type TrustedIssuer } from "./control.ts";
import { HtpasswdFile } from "./htpasswd.ts";
import { JwksSource, type Fetch } from "./jwks.ts";
import { LockOut } from "./lock-out.ts";
import { Logins, type LoginFailed } from "./logins.ts";
import { addressOf, originOf } from "./origin.ts";
import { PasswordChecker } from "./passwords.ts";
import { SigningKeys } from "./signing-keys.ts";
import { openSqliteAccessStore } from "./sqlite-store.ts";
import type { AccessStore } from "./store.ts";
import { TokenService } from "./token-service.ts";
import { LEEWAY } from "./tokens.ts";

export interface OpenAccessOptions {
  /** Robots, users, refresh tokens and keys; closed by whoever opened it. In memory by default. */
  readonly store?: AccessStore | undefined;
  /** What file names in the configuration are relative to; the current folder by default. */
  readonly folder?: string | undefined;
  /** For the keys of trusted issuers; the platform's own by default. */
  readonly fetch?: Fetch | undefined;
  /** Milliseconds since the epoch. */
  readonly clock?: (() => number) | undefined;
  /** Told of failures that aren't the client's, such as a changed file that can't be used. */
  readonly onFailure?: ((error: unknown) => void) | undefined;
  /** Told of every login that failed or was held off. */
  readonly onLoginFailed?: ((event: LoginFailed) => void) | undefined;
  /** Told of every login that was checked and good; those that are remembered aren't checked again. */
  readonly onLogin?: ((login: string) => void) | undefined;
}

/**
 * Opens access control for a registry.
 *
 * @throws RegistryError `CONFIG_INVALID`, `CONFIG_UNREADABLE`
 */
export async function openAccess(
  config: AccessConfig,
  options: OpenAccessOptions = {},
): Promise<AccessControl> {
  const compiled = compileAccessConfig(config);
  const clock = options.clock ?? Date.now;
  const onFailure = options.onFailure ?? ((): void => {});
  const fileOf = (path: string): string => resolve(options.folder ?? ".", path);
  await using opened = new AsyncDisposableStack();
  const store = options.store ?? opened.use(openSqliteAccessStore(":memory:"));
  const htpasswd =
    compiled.htpasswd === undefined
      ? undefined
      : await HtpasswdFile.open(fileOf(compiled.htpasswd), { clock, onFailure });
  const accounts = new Accounts({ store, htpasswd, groups: compiled.groups, clock });
  const logins = new Logins({
    accounts,
    clock,
    passwords: opened.use(new PasswordChecker()),
    lockOut: compiled.lockOut === undefined ? undefined : new LockOut(compiled.lockOut, clock),
    onLoginFailed: options.onLoginFailed,
    onLogin: options.onLogin,
  });
  const shared = { store, accounts, logins, clock };
  const own = await openTokenService(compiled, { ...shared, fileOf });
  const trusted = await Promise.all(
    compiled.trusted.map((one) => openIssuer(one, { fileOf, clock, fetch: options.fetch ?? fetch })),
  );
  const owned = opened.move();
  return new RegistryAccess({
    policy: compiled.policy,
    accounts,
    logins,
    issuers: own === undefined ? trusted : [own.issuer, ...trusted],
    tokenService: own?.service,
    addressOf: (request) => addressOf(request, compiled.proxies),
    realm: compiled.realm,
    bearer: bearerOf(compiled),
    clock,
    onFailure,
    close: () => owned.disposeAsync(),
  });
}

async function openTokenService(
  compiled: CompiledAccess,
  options: {
    readonly store: AccessStore;
    readonly accounts: Accounts;
    readonly logins: Logins;
    readonly clock: () => number;
    readonly fileOf: (path: string) => string;
  },
): Promise<{ readonly service: TokenService; readonly issuer: TrustedIssuer } | undefined> {
  const { tokens, policy, proxies, realm } = compiled;
  if (tokens === undefined) return undefined;
  const { fileOf, ...shared } = options;
  const keys = await SigningKeys.open({
    store: shared.store,
    clock: shared.clock,
    given: await Promise.all(tokens.keys.map((path) => readText(fileOf(path), "a key"))),
    algorithm: tokens.algorithm,
    rotateAfter: tokens.rotate,
    believedFor: tokens.lifetime + 2 * LEEWAY * 1_000,
  });
  const service = new TokenService({
    ...shared,
    keys,
    policy,
    realm,
    path: tokens.path,
    issuer: tokens.issuer,
    service: tokens.service,
    lifetime: tokens.lifetime,
    refreshLifetime: tokens.refresh,
    addressOf: (request) => addressOf(request, proxies),
  });
  const issuer: TrustedIssuer = {
    name: tokens.issuer,
    audience: tokens.service,
    keys,
    roots: [],
    own: true,
    authority: "policy",
    userPrefix: "",
    groupsClaim: "",
  };
  return { service, issuer };
}

async function openIssuer(
  config: TrustedConfig,
  options: {
    readonly fileOf: (path: string) => string;
    readonly clock: () => number;
    readonly fetch: Fetch;
  },
): Promise<TrustedIssuer> {
  const { jwks, roots } = config;
  const { fileOf, clock, fetch } = options;
  const isUrl = jwks !== undefined && /^https?:/i.test(jwks);
  const keys =
    jwks === undefined ? undefined : new JwksSource({ location: isUrl ? jwks : fileOf(jwks), fetch, clock });
  // A file that is wrong is better known now; an issuer that is away may come back.
  if (!isUrl) await keys?.keys();
  return {
    name: config.issuer,
    audience: config.audience,
    keys,
    roots: roots === undefined ? [] : readRoots(await readText(fileOf(roots), "certificates"), roots),
    own: false,
    authority: config.decides === "policies" ? "policy" : "issuer",
    userPrefix: config.prefix ?? "",
    groupsClaim: config.groups ?? "groups",
  };
}

type Bearer = ConstructorParameters<typeof RegistryAccess>[0]["bearer"];

/** Where clients are sent for tokens: to us, to somebody else, or nowhere. */
function bearerOf({ tokens, trusted, realm }: CompiledAccess): Bearer {
  if (tokens !== undefined) {
    const { realm: url, service, path } = tokens;
    return (request) => ({ realm: url ?? `${originOf(request, realm)}${path}`, service });
  }
  const other = trusted.find((one) => one.realm !== undefined);
  if (other?.realm === undefined) return undefined;
  const challenge = { realm: other.realm, service: other.audience };
  return () => challenge;
}

async function readText(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const why =
      (cause as NodeJS.ErrnoException).code === "ENOENT" ? "there is no such file" : "it cannot be read";
    const message = `Cannot read ${what} from ${JSON.stringify(path)}: ${why}`;
    throw new RegistryError("CONFIG_UNREADABLE", message, { cause });
  }
}

function readRoots(text: string, path: string): readonly X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  try {
    if (blocks.length === 0) throw new TypeError("no certificates");
    return blocks.map((pem) => new X509Certificate(pem));
  } catch (cause) {
    const message = `Cannot use the certificates in ${JSON.stringify(path)}: they have to be PEM`;
    throw new RegistryError("CONFIG_INVALID", message, { cause });
  }
}
