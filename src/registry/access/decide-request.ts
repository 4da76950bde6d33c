import { coveringPrefixes, SEES_ALL, type Access, type RepositoryView } from "../access.ts";
import { ANONYMOUS, decideAccess, viewOf, type Caller, type Policy } from "./policy.ts";
import { mayList, type GrantedScopes } from "./scope.ts";

/** Who sent a request, and how that is known. */
export type Identity =
  | { readonly via: "nothing" }
  | { readonly via: "login"; readonly caller: Caller }
  | {
      readonly via: "token";
      readonly caller: Caller;
      /** The scopes it was issued for; `undefined` for one that says who somebody is and nothing else. */
      readonly granted: GrantedScopes | undefined;
      /** Whether the issuer decided what its bearer may do, or our policy does, within what was granted. */
      readonly authority: "issuer" | "policy";
    };

export type RequestVerdict =
  | { readonly allowed: true }
  | {
      readonly allowed: false;
      /** 401 when other credentials may help, 403 when these are good and will never do. */
      readonly status: 401 | 403;
      /** One sentence. */
      readonly reason: string;
      /** The token lacks access that another one could have. */
      readonly insufficient: boolean;
      /** The same caller is sure to get a token that will do. */
      readonly renewable: boolean;
    };

const ALLOWED: RequestVerdict = { allowed: true };

/**
 * Whether a request may have all it wants. A token never gives more than the policy does at this moment: who lost
 * a right has lost it in tokens issued before, too.
 */
export function decideRequest(policy: Policy, who: Identity, wanted: readonly Access[]): RequestVerdict {
  if (wanted.length === 0) {
    return who.via === "nothing" ? refusal(401, "This registry asks who you are") : ALLOWED;
  }
  // Many clients log in only when asked to; they would take the list for nobody as theirs.
  if (who.via === "nothing" && wanted.some((access) => access.type === "registry")) {
    return refusal(401, "This registry lists what you may pull; it asks who you are");
  }
  const caller = callerOf(who);
  let lacking: string | undefined;
  for (const access of wanted) {
    for (const action of access.actions) {
      if (who.via !== "token" || who.authority === "policy") {
        const { allowed, reason } = decideOne(policy, caller, access, action);
        if (!allowed)
          return refuse(who, `${describe(access, action)} is not for ${nameOf(caller)}: ${reason}`);
      }
      if (who.via === "token" && who.granted?.has(access.type, access.name, action) === false) {
        lacking ??= `The token does not say that ${describe(access, action)} is granted; ask for one that does`;
      }
    }
  }
  if (lacking === undefined) return ALLOWED;
  const renewable = who.via === "token" && who.authority === "policy";
  return { allowed: false, status: 401, reason: lacking, insufficient: true, renewable };
}

/** The repositories whose existence a request may learn of. */
export function viewFor(policy: Policy, who: Identity): RepositoryView {
  if (who.via !== "token" || who.authority === "policy") return viewOf(policy, callerOf(who));
  const { granted } = who;
  // Whoever decides what may be done said that this one may see the whole list.
  if (granted === undefined || granted.has("registry", "catalog", "*")) return SEES_ALL;
  const names = new Set(granted.repositories);
  return { sees: (repository) => names.has(repository), prefixes: coveringPrefixes(names) };
}

export function callerOf(who: Identity): Caller {
  return who.via === "nothing" ? ANONYMOUS : who.caller;
}

function decideOne(
  policy: Policy,
  caller: Caller,
  access: Access,
  action: Access["actions"][number],
): { readonly allowed: boolean; readonly reason: string } {
  if (access.type === "registry") {
    return { allowed: mayList(policy, caller), reason: "no rule lets them pull anything" };
  }
  if (action === "*") return { allowed: false, reason: "nobody asks for everything at once" };
  return decideAccess(policy, caller, { repository: access.name, action });
}

function refuse(who: Identity, reason: string): RequestVerdict {
  // Nobody in particular may still turn out to be somebody.
  if (callerOf(who).kind !== "anonymous") return refusal(403, reason);
  return { ...refusal(401, reason), insufficient: who.via === "token" };
}

function refusal(status: 401 | 403, reason: string): Extract<RequestVerdict, { readonly allowed: false }> {
  return { allowed: false, status, reason, insufficient: false, renewable: false };
}

function describe(access: Access, action: string): string {
  return access.type === "registry"
    ? "Listing repositories"
    : `${WORDS[action] ?? action} ${JSON.stringify(access.name)}`;
}

const WORDS: Readonly<Record<string, string>> = {
  pull: "Pulling from",
  push: "Pushing to",
  delete: "Deleting from",
};

function nameOf(caller: Caller): string {
  return caller.kind === "anonymous"
    ? "callers without a login"
    : `${caller.kind} ${JSON.stringify(caller.name)}`;
}
