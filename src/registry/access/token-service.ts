/**
 * Where tokens are to be had, in the Docker token protocol's two forms:
 *
 * ```text
 * GET  /auth/token?service=S&scope=repository:team/app:pull[&offline_token=true]     Authorization: Basic …, or none
 * POST /auth/token   grant_type=password|refresh_token&client_id=C&service=S&scope=…[&access_type=offline]
 * GET  /auth/jwks.json                                                               the keys to check them with
 * ```
 *
 * Less than was asked for is an answer, not an error: a token grants what was asked and the policy allows.
 */
import { Secret } from "../../internal/secret.ts";
import { readBody, type RegistryRequest, type RegistryResponse } from "../request.ts";
import { refuse, respond, respondJson } from "../respond.ts";
import { type Accounts, provenUntil } from "./accounts.ts";
import { parseAuthorization } from "./authorization.ts";
import { formatBasicChallenge } from "./challenge.ts";
import type { LoginOutcome, Logins } from "./logins.ts";
import { ANONYMOUS, type Policy } from "./policy.ts";
import { formatScope, grantScopes, MAX_SCOPES, parseScopes, type Scope } from "./scope.ts";
import { hashSecret, makeSecret } from "./secrets.ts";
import type { SigningKeys } from "./signing-keys.ts";
import type { AccessStore } from "./store.ts";
import { signToken } from "./tokens.ts";

export interface TokenServiceOptions {
  readonly path: string;
  readonly issuer: string;
  readonly service: string;
  /** Milliseconds. */
  readonly lifetime: number;
  /** Milliseconds. */
  readonly refreshLifetime: number;
  /** For its own challenges. */
  readonly realm: string;
  readonly policy: Policy;
  readonly keys: SigningKeys;
  readonly store: AccessStore;
  readonly accounts: Accounts;
  readonly logins: Logins;
  readonly addressOf: (request: RegistryRequest) => string;
  readonly clock: () => number;
}

const MAX_FORM = 64 * 1024;

/** Who asks: somebody whose login was right, or nobody in particular. */
type Proven = NonNullable<LoginOutcome["proof"]> | undefined;

interface Wish {
  readonly who: Proven;
  readonly scopes: readonly Scope[];
}

interface Issued {
  readonly token: string;
  readonly scopes: readonly Scope[];
  readonly answer: {
    readonly expires_in: number;
    readonly issued_at: string;
  };
}

export class TokenService {
  readonly #options: TokenServiceOptions;
  readonly #keysPath: string;

  constructor(options: TokenServiceOptions) {
    this.#options = options;
    this.#keysPath = `${options.path.slice(0, options.path.lastIndexOf("/"))}/jwks.json`;
  }

  serve(request: RegistryRequest): Promise<RegistryResponse | undefined> | undefined {
    const mark = request.target.indexOf("?");
    const path = mark < 0 ? request.target : request.target.slice(0, mark);
    if (path === this.#keysPath) return this.#serveKeys(request);
    if (path !== this.#options.path) return undefined;
    if (request.method === "POST") return this.#serveForm(request);
    if (request.method !== "GET") return Promise.resolve(notAvailable("GET, POST"));
    return this.#serveQuery(request, new URLSearchParams(mark < 0 ? "" : request.target.slice(mark + 1)));
  }

  async #serveKeys(request: RegistryRequest): Promise<RegistryResponse> {
    if (request.method !== "GET" && request.method !== "HEAD") return notAvailable("GET, HEAD");
    return respondJson(await this.#options.keys.publicSet(), { "Cache-Control": "max-age=60" });
  }

  async #serveQuery(request: RegistryRequest, query: URLSearchParams): Promise<RegistryResponse> {
    const scopes = this.#readScopes(query.getAll("scope").join(" "));
    const fault =
      this.#findServiceFault(query.get("service")) ?? (typeof scopes === "string" ? scopes : undefined);
    if (fault !== undefined || typeof scopes === "string")
      return refuse("UNSUPPORTED", fault ?? "", { status: 400 });
    const outcome = await this.#identify(request);
    if (outcome.failed !== undefined) return this.#refuseLogin(outcome.failed);
    const { who } = outcome;
    const { token, answer } = await this.#issue({ who, scopes });
    const refresh = query.get("offline_token") === "true" ? await this.#makeRefreshToken(who) : undefined;
    return respondToken({
      token,
      access_token: token,
      ...answer,
      ...(refresh && { refresh_token: refresh }),
    });
  }

  async #serveForm(request: RegistryRequest): Promise<RegistryResponse> {
    const type = request.header("content-type")?.split(";")[0]?.trim().toLowerCase();
    if (type !== "application/x-www-form-urlencoded")
      return oauthError(400, "invalid_request", "Send a form");
    const body = await readBody(request.body, MAX_FORM);
    if (body === undefined) return oauthError(400, "invalid_request", "The form is too long");
    const form = new URLSearchParams(body.toString());
    if (!form.get("client_id")) return oauthError(400, "invalid_request", "client_id is missing");
    const fault = this.#findServiceFault(form.get("service"));
    if (fault !== undefined) return oauthError(400, "invalid_request", fault);
    const scopes = this.#readScopes(form.getAll("scope").join(" "));
    if (typeof scopes === "string") return oauthError(400, "invalid_scope", scopes);
    return await this.#serveGrant(request, form, scopes);
  }

  async #serveGrant(
    request: RegistryRequest,
    form: URLSearchParams,
    scopes: readonly Scope[],
  ): Promise<RegistryResponse> {
    const offline = form.get("access_type") === "offline";
    let outcome: LoginOutcome;
    let refresh: string | undefined;
    switch (form.get("grant_type") ?? "") {
      case "password": {
        const [login, password] = [form.get("username"), form.get("password")];
        if (!login || password === null) {
          return oauthError(400, "invalid_request", "username or password is missing");
        }
        outcome = await this.#options.logins.check(
          login,
          new Secret(password),
          this.#options.addressOf(request),
        );
        if (offline) refresh = await this.#makeRefreshToken(outcome.proof);
        break;
      }
      case "refresh_token": {
        const token = form.get("refresh_token");
        if (!token) return oauthError(400, "invalid_request", "refresh_token is missing");
        outcome = await this.#redeem(new Secret(token));
        if (offline) refresh = token;
        break;
      }
      default:
        return oauthError(400, "unsupported_grant_type", "grant_type is password or refresh_token");
    }
    if (outcome.proof === undefined) {
      if (outcome.retryAfter === undefined) return oauthError(401, "invalid_grant", outcome.reason);
      return this.#refuseLogin(outcome);
    }
    const issued = await this.#issue({ who: outcome.proof, scopes });
    return respondToken({
      access_token: issued.token,
      token_type: "Bearer",
      scope: issued.scopes.map(formatScope).join(" "),
      ...issued.answer,
      ...(refresh !== undefined && { refresh_token: refresh }),
    });
  }

  async #identify(
    request: RegistryRequest,
  ): Promise<{ readonly who: Proven; readonly failed?: undefined } | { readonly failed: LoginOutcome }> {
    const given = parseAuthorization(request.header("authorization"));
    if (given.scheme === "none") return { who: undefined };
    if (given.scheme !== "basic") return { failed: { reason: "Send a name and a password, or nothing" } };
    // Clients that were given a refresh token for a password send it as one, of nobody.
    const outcome =
      given.login === "" || given.login === "<token>"
        ? await this.#redeem(given.password)
        : await this.#options.logins.check(given.login, given.password, this.#options.addressOf(request));
    return outcome.proof === undefined ? { failed: outcome } : { who: outcome.proof };
  }

  async #issue({ who, scopes }: Wish): Promise<Issued> {
    const { keys, issuer, service, policy, clock, lifetime } = this.#options;
    const now = clock();
    const granted = grantScopes(policy, who?.account.caller ?? ANONYMOUS, scopes);
    const issuedAt = Math.floor(now / 1_000);
    // A token doesn't outlive the secret it was got with.
    const until = Math.min(now + lifetime, who?.account.expiresAt ?? Infinity, this.#credentialEnd(who, now));
    const expiresAt = Math.max(issuedAt + 1, Math.floor(until / 1_000));
    const subject = who?.account.login ?? "";
    const claims = { issuer, audience: service, subject, scopes: granted, issuedAt, expiresAt };
    return {
      token: await signToken(keys, claims),
      scopes: granted,
      answer: { expires_in: expiresAt - issuedAt, issued_at: new Date(issuedAt * 1_000).toISOString() },
    };
  }

  #credentialEnd(who: Proven, now: number): number {
    if (who === undefined) return Infinity;
    return provenUntil(who.account, who.credential, now) ?? now;
  }

  async #makeRefreshToken(who: Proven): Promise<string | undefined> {
    if (who === undefined) return undefined;
    const { store, clock, refreshLifetime } = this.#options;
    const [secret, now] = [makeSecret("refresh"), clock()];
    await store.addRefreshToken({
      hash: hashSecret(secret),
      login: who.account.login,
      credential: who.credential,
      createdAt: now,
      expiresAt: now + refreshLifetime,
    });
    return secret.reveal();
  }

  /** A refresh token is as good as the password it was got with, and no longer. */
  async #redeem(secret: Secret): Promise<LoginOutcome> {
    const { store, accounts, clock } = this.#options;
    const [record, now] = [await store.findRefreshToken(hashSecret(secret)), clock()];
    const account = record === undefined ? undefined : await accounts.find(record.login);
    if (record === undefined || account === undefined || record.expiresAt <= now) return EXPIRED;
    const validUntil = provenUntil(account, record.credential, now);
    return validUntil === undefined
      ? EXPIRED
      : { proof: { account, credential: record.credential, validUntil } };
  }

  /** The only service there are tokens for is this registry. */
  #findServiceFault(service: string | null): string | undefined {
    if (service === null || service === "") return "service is missing";
    return service === this.#options.service ? undefined : "There are no tokens for that service here";
  }

  #readScopes(text: string): readonly Scope[] | string {
    const scopes = parseScopes(text);
    if (scopes === undefined) return "That is not a scope: it is TYPE:NAME:ACTION,…";
    return scopes.length > MAX_SCOPES ? `At most ${MAX_SCOPES} scopes can be asked for at once` : scopes;
  }

  #refuseLogin(outcome: LoginOutcome): RegistryResponse {
    const { reason, retryAfter } = outcome as Extract<LoginOutcome, { readonly reason: string }>;
    if (retryAfter !== undefined) {
      return refuse("TOOMANYREQUESTS", reason, { headers: { "Retry-After": retryAfter } });
    }
    const headers = { "WWW-Authenticate": formatBasicChallenge(this.#options.realm) };
    return refuse("UNAUTHORIZED", reason, { headers });
  }
}

const EXPIRED: LoginOutcome = { reason: "The refresh token is not good, or not any more; log in again" };

function respondToken(document: object): RegistryResponse {
  return respondJson(document, { "Cache-Control": "no-store", Pragma: "no-cache" });
}

function oauthError(status: number, error: string, description: string): RegistryResponse {
  const body = Buffer.from(JSON.stringify({ error, error_description: description }));
  const headers = { "Content-Type": "application/json", "Content-Length": body.length };
  return respond(status, { ...headers, "Cache-Control": "no-store" }, body);
}

function notAvailable(allow: string): RegistryResponse {
  return refuse("UNSUPPORTED", "That method is not available here", { headers: { Allow: allow } });
}
