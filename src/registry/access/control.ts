import { hash } from "node:crypto";

import type { Access, AccessControl, Authorize, Decision, LockedOut, RepositoryView } from "../access.ts";
import type { RegistryRequest, RegistryResponse } from "../request.ts";
import type { Accounts } from "./accounts.ts";
import { parseAuthorization } from "./authorization.ts";
import { formatBasicChallenge, formatBearerChallenge, type BearerChallenge } from "./challenge.ts";
import { callerOf, decideRequest, viewFor, type Identity, type RequestVerdict } from "./decide-request.ts";
import { ExpiringCache } from "./expiring-cache.ts";
import type { LoginOutcome, Logins } from "./logins.ts";
import { ANONYMOUS, type Policy } from "./policy.ts";
import { ROBOT_PREFIX } from "./robots.ts";
import { formatAccess, GrantedScopes } from "./scope.ts";
import type { TokenService } from "./token-service.ts";
import { verifyToken, type Issuer, type TokenClaims } from "./tokens.ts";

/** Whose tokens are taken, and what their word is worth. */
export interface TrustedIssuer extends Issuer {
  /** Our own: subjects are logins here. */
  readonly own: boolean;
  readonly authority: "issuer" | "policy";
  readonly userPrefix: string;
  readonly groupsClaim: string;
}

export interface ControlOptions {
  readonly policy: Policy;
  readonly accounts: Accounts;
  readonly logins: Logins;
  readonly issuers: readonly TrustedIssuer[];
  readonly tokenService: TokenService | undefined;
  readonly addressOf: (request: RegistryRequest) => string;
  /** For Basic challenges. */
  readonly realm: string;
  /** For Bearer challenges; `undefined` where there are no tokens to be had. */
  readonly bearer: ((request: RegistryRequest) => Pick<BearerChallenge, "realm" | "service">) | undefined;
  readonly clock: () => number;
  readonly onFailure: (error: unknown) => void;
  readonly close: () => Promise<void>;
}

/** Who sent a request, or why that can't be said. */
type Identified =
  | { readonly identity: Identity }
  | {
      readonly identity?: undefined;
      readonly reason: string;
      readonly error?: BearerChallenge["error"];
      readonly retryAfter?: number | undefined;
    };

interface KnownToken {
  readonly identity: Identity;
  readonly validUntil: number;
  /** The account it stands for, and the state of accounts it was looked up in. */
  readonly login: string | undefined;
  readonly generation: string | undefined;
}

/** A token is checked anew after so many milliseconds, so that a key that was withdrawn stops counting. */
const REMEMBERED = 10 * 60_000;
const MAX_TOKENS = 20_000;
/** One challenge for a mount's source is enough; whoever asks again has no better token. */
const CHALLENGED_FOR = 60_000;
const NOTHING: Identified = { identity: { via: "nothing" } };

/** Puts together who asks and what the policy says; answers at once for those who were here before. */
export class RegistryAccess implements AccessControl {
  readonly #options: ControlOptions;
  readonly #tokens = new ExpiringCache<KnownToken>(MAX_TOKENS);
  readonly #challenged = new ExpiringCache<{ readonly validUntil: number }>(1_000);
  readonly #checking = new Map<string, Promise<Identified>>();
  #closing: Promise<void> | undefined;

  constructor(options: ControlOptions) {
    this.#options = options;
  }

  readonly authorize: Authorize = (request, wanted) => {
    const identified = this.#identify(request);
    return identified instanceof Promise
      ? identified.then((one) => this.#decide(request, one, wanted))
      : this.#decide(request, identified, wanted);
  };

  viewFor(request: RegistryRequest): RepositoryView | Promise<RepositoryView> {
    const view = ({ identity = { via: "nothing" } }: Identified): RepositoryView =>
      viewFor(this.#options.policy, identity);
    const identified = this.#identify(request);
    return identified instanceof Promise ? identified.then(view) : view(identified);
  }

  lockedOut(): readonly LockedOut[] {
    return this.#options.logins.lockedOut();
  }

  serve(request: RegistryRequest): Promise<RegistryResponse | undefined> | undefined {
    return this.#options.tokenService?.serve(request);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (this.#closing ??= this.#options.close());
  }

  #decide(request: RegistryRequest, who: Identified, wanted: readonly Access[]): Decision {
    if (who.identity === undefined) {
      const { reason, retryAfter, error } = who;
      if (retryAfter !== undefined) return { allowed: false, status: 429, reason, retryAfter };
      return { allowed: false, status: 401, reason, ...this.#challenge(request, wanted, error) };
    }
    const verdict = decideRequest(this.#options.policy, who.identity, wanted);
    const caller = loginOf(who.identity);
    if (verdict.allowed) return { allowed: true, caller };
    const { status, reason, insufficient } = verdict;
    if (status === 403) return { allowed: false, status, reason, caller };
    return {
      allowed: false,
      status,
      reason,
      caller,
      ...this.#challenge(request, wanted, insufficient ? "insufficient_scope" : undefined),
      renewable: this.#isRenewable(who.identity, verdict, wanted),
    };
  }

  /** Only another issuer knows whether it would grant more, so its callers are asked to try once. */
  #isRenewable(
    identity: Identity,
    verdict: Extract<RequestVerdict, { readonly allowed: false }>,
    wanted: readonly Access[],
  ): boolean {
    if (verdict.renewable || !verdict.insufficient || wanted.length < 2) return verdict.renewable;
    if (identity.via !== "token" || identity.authority !== "issuer") return false;
    const now = this.#options.clock();
    const key = `${callerOf(identity).name} ${formatAccess(wanted)}`;
    if (this.#challenged.find(key, now) !== undefined) return false;
    this.#challenged.set(key, { validUntil: now + CHALLENGED_FOR });
    return true;
  }

  #challenge(
    request: RegistryRequest,
    wanted: readonly Access[],
    error: BearerChallenge["error"],
  ): Pick<Extract<Decision, { readonly allowed: false }>, "challenge" | "challengeFor"> {
    const { bearer, realm } = this.#options;
    if (bearer === undefined) return { challenge: formatBasicChallenge(realm) };
    const asked = bearer(request);
    const challengeFor = (access: readonly Access[]): string =>
      formatBearerChallenge({ ...asked, scope: formatAccess(access), error });
    return { challenge: challengeFor(wanted), challengeFor };
  }

  #identify(request: RegistryRequest): Identified | Promise<Identified> {
    const given = parseAuthorization(request.header("authorization"));
    switch (given.scheme) {
      case "none":
        return NOTHING;
      case "unusable":
        return { reason: "The Authorization header is neither Basic nor Bearer" };
      case "basic": {
        const outcome = this.#options.logins.check(
          given.login,
          given.password,
          this.#options.addressOf(request),
        );
        return outcome instanceof Promise ? outcome.then(identifyLogin) : identifyLogin(outcome);
      }
      case "bearer": {
        const token = given.token.reveal();
        const looking = this.#options.accounts.look();
        return looking === undefined
          ? this.#identifyToken(token)
          : looking.then(() => this.#identifyToken(token));
      }
    }
  }

  #identifyToken(token: string): Identified | Promise<Identified> {
    const { accounts, clock, issuers } = this.#options;
    if (issuers.length === 0) return { reason: "There are no tokens here; send a name and a password" };
    const key = hash("sha256", token, "base64");
    const known = this.#tokens.find(key, clock());
    if (
      known !== undefined &&
      (known.login === undefined || isSame(known.generation, accounts.generation()))
    ) {
      return known;
    }
    // A client with a new token sends it with many requests at once.
    const running = this.#checking.get(key);
    if (running !== undefined) return running;
    const started = this.#checkToken(key, token, known).finally(() => this.#checking.delete(key));
    this.#checking.set(key, started);
    return started;
  }

  async #checkToken(key: string, token: string, known: KnownToken | undefined): Promise<Identified> {
    try {
      const generation = this.#options.accounts.generation();
      const checked = await (known === undefined
        ? this.#readToken(token)
        : this.#look(known.login ?? "", known));
      if (checked === undefined) {
        this.#tokens.delete(key);
        return { reason: "The token is not good, or not any more", error: "invalid_token" };
      }
      this.#tokens.set(key, { ...checked, generation });
      return checked;
    } catch (error) {
      this.#options.onFailure(error);
      return { reason: "The token cannot be checked at the moment", error: "invalid_token" };
    }
  }

  async #readToken(token: string): Promise<Omit<KnownToken, "generation"> | undefined> {
    const { issuers, clock } = this.#options;
    const now = clock();
    const claims = await verifyToken(token, issuers, now);
    if (claims === undefined) return undefined;
    const issuer = issuers.find((one) => one === claims.issuer) as TrustedIssuer;
    const identity = identifyClaims(claims, issuer);
    const validUntil = Math.min(claims.validUntil, now + REMEMBERED);
    if (!issuer.own || claims.subject === "") return { identity, validUntil, login: undefined };
    return await this.#look(claims.subject, { identity, validUntil });
  }

  /** Our own tokens stand for an account, which may have changed or gone. */
  async #look(
    login: string,
    known: Pick<KnownToken, "identity" | "validUntil">,
  ): Promise<Omit<KnownToken, "generation"> | undefined> {
    const account = await this.#options.accounts.find(login);
    if (account === undefined || known.identity.via !== "token") return undefined;
    const validUntil = Math.min(known.validUntil, account.expiresAt ?? Infinity);
    return { identity: { ...known.identity, caller: account.caller }, validUntil, login };
  }
}

function identifyLogin(outcome: LoginOutcome): Identified {
  if (outcome.proof === undefined) return { reason: outcome.reason, retryAfter: outcome.retryAfter };
  return { identity: { via: "login", caller: outcome.proof.account.caller } };
}

/** For logs. */
function loginOf(identity: Identity): string | undefined {
  const { kind, name } = callerOf(identity);
  if (kind === "anonymous") return undefined;
  return kind === "robot" ? ROBOT_PREFIX + name : name;
}

function identifyClaims(claims: TokenClaims, issuer: TrustedIssuer): Identity {
  const { subject, scopes, groups } = claims;
  const name = issuer.userPrefix + subject;
  const caller =
    subject === "" ? ANONYMOUS : ({ kind: "user", name, groups: groups(issuer.groupsClaim) } as const);
  // Where the issuer decides, a token without scopes was granted nothing.
  const known = scopes ?? (issuer.authority === "issuer" || issuer.own ? [] : undefined);
  const granted = known === undefined ? undefined : new GrantedScopes(known);
  return { via: "token", caller, granted, authority: issuer.authority };
}

function isSame(one: string | undefined, other: string | undefined): boolean {
  return one !== undefined && one === other;
}
