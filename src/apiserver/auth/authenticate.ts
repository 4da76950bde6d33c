/** Who sends a request: a bearer token we gave out, on behalf of somebody else where that is asked and allowed. */
import { createHash, timingSafeEqual } from "node:crypto";

import { badRequest, failure, type StatusError } from "../../kubernetes/index.ts";
import { accessDenied, mayAccess } from "./authorize.ts";
import { authenticateServiceAccount, type TokenContext } from "./service-account-tokens.ts";
import {
  ANONYMOUS,
  type ApiUser,
  AUTHENTICATED,
  parseServiceAccountUser,
  serviceAccountUser,
} from "./user.ts";

/** A token that doesn't speak for a ServiceAccount; only its digest is known here. */
export interface StaticToken {
  /** SHA-256, in hex. */
  readonly sha256: string;
  readonly user: ApiUser;
}

export interface AuthenticateContext extends TokenContext {
  readonly staticTokens: readonly StaticToken[];
}

/** Longer than any token we give out. */
const MAX_TOKEN = 16 * 1024;

/**
 * @returns the anonymous user where no token was sent
 * @throws StatusError 401 for a token that isn't ours; 403 where impersonation isn't allowed
 */
export async function authenticate(context: AuthenticateContext, headers: Headers): Promise<ApiUser> {
  const authorization = headers.get("authorization");
  const user = authorization === null ? ANONYMOUS : await whose(context, authorization);
  if (user === undefined) throw unauthorized();
  return impersonate(user, headers);
}

export function unauthorized(): StatusError {
  return failure("Unauthorized", "Unauthorized");
}

export function digestToken(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

async function whose(context: AuthenticateContext, authorization: string): Promise<ApiUser | undefined> {
  const [scheme = "", token = "", ...more] = authorization.trim().split(/ +/);
  if (scheme.toLowerCase() !== "bearer" || token === "" || more.length > 0) return undefined;
  if (token.length > MAX_TOKEN) return undefined;
  const digest = Buffer.from(digestToken(token), "hex");
  let found: ApiUser | undefined;
  // All are compared, each in constant time: how long it takes tells nothing.
  for (const one of context.staticTokens) {
    if (timingSafeEqual(digest, Buffer.from(one.sha256, "hex"))) found = one.user;
  }
  return found ?? (await authenticateServiceAccount(context, token));
}

/** Acts as somebody else, which those may who may impersonate that somebody. */
export function impersonate(user: ApiUser, headers: Headers): ApiUser {
  const name = headers.get("impersonate-user");
  const groups = listHeader(headers, "impersonate-group");
  const uid = headers.get("impersonate-uid");
  const extra = extraHeaders(headers);
  if (name === null) {
    if (groups.length > 0 || uid !== null || extra !== undefined) {
      throw badRequest("requested impersonation without impersonating a user");
    }
    return user;
  }
  const account = parseServiceAccountUser(name);
  require(user, account ? "serviceaccounts" : "users", account?.name ?? name, account?.namespace ?? "");
  for (const group of groups) require(user, "groups", group);
  if (uid !== null) require(user, "uids", uid);
  if (extra !== undefined) for (const key of Object.keys(extra)) require(user, "userextras", key);
  const more = { ...(uid !== null && { uid }), ...(extra && { extra }) };
  if (account !== undefined && groups.length === 0) {
    return { ...serviceAccountUser(account.namespace, account.name), ...more };
  }
  const known = name === ANONYMOUS.name ? ANONYMOUS.groups : [AUTHENTICATED];
  return { name, groups: [...groups, ...known.filter((group) => !groups.includes(group))], ...more };
}

function require(user: ApiUser, resource: string, name: string, namespace: string = ""): void {
  const group = resource === "uids" || resource === "userextras" ? "authentication.k8s.io" : "";
  const access = { verb: "impersonate", group, resource, subresource: "", namespace, name };
  if (!mayAccess(user, access)) throw accessDenied(user, access);
}

function listHeader(headers: Headers, name: string): readonly string[] {
  const text = headers.get(name);
  // Headers of one name come joined; a group's name holds no comma.
  return text === null
    ? []
    : text
        .split(",")
        .map((part) => part.trim())
        .filter((part) => part !== "");
}

function extraHeaders(headers: Headers): ApiUser["extra"] {
  const prefix = "impersonate-extra-";
  const found = [...headers].filter(([name]) => name.startsWith(prefix));
  if (found.length === 0) return undefined;
  return Object.fromEntries(
    found.map(([name, value]): [string, readonly string[]] => {
      return [decodeURIComponent(name.slice(prefix.length)), value.split(",").map((part) => part.trim())];
    }),
  );
}
