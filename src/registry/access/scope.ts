/**
 * Scopes: what a token is asked for, and what it grants.
 *
 * ```text
 * scope  ::= type ["(" class ")"] ":" name ":" action ("," action)*
 *            repository:team/app:pull,push      registry:catalog:*
 * ```
 *
 * A name may hold colons, as in `localhost:5000/app`, so the actions are what follows the last one.
 */
import type { Access } from "../access.ts";
import { ACTIONS, decideAccess, viewOf, type Caller, type Policy } from "./policy.ts";

export interface Scope {
  readonly type: string;
  readonly class?: string | undefined;
  readonly name: string;
  readonly actions: readonly string[];
}

/** More scopes than any client asks for at once; each costs a walk through the rules. */
export const MAX_SCOPES = 256;

/** Reads scopes, separated by spaces; `undefined` for a text that breaks the grammar. */
export function parseScopes(text: string): readonly Scope[] | undefined {
  const scopes: Scope[] = [];
  for (const word of text.split(" ")) {
    if (word === "") continue;
    const scope = parseScope(word);
    if (scope === undefined) return undefined;
    scopes.push(scope);
  }
  return scopes;
}

function parseScope(text: string): Scope | undefined {
  const [, type = "", kind, name = "", actions = ""] =
    /^([a-z0-9]+)(?:\(([a-z0-9]+)\))?:(.+):([a-z*,]*)$/.exec(text) ?? [];
  if (type === "") return undefined;
  const list = [...new Set(actions.split(",").filter((action) => action !== ""))];
  return { type, ...(kind !== undefined && { class: kind }), name, actions: list };
}

export function formatScope(scope: Scope): string {
  const kind = scope.class === undefined ? "" : `(${scope.class})`;
  return `${scope.type}${kind}:${scope.name}:${scope.actions.join(",")}`;
}

/** The scopes of what a request wants, for a challenge. */
export function formatAccess(access: readonly Access[]): string {
  return access.map(formatScope).join(" ");
}

/**
 * The intersection of what is asked and what the policy allows; less than was asked is an answer, not an error.
 * `*` asks for everything and is granted where everything is allowed.
 */
export function grantScopes(policy: Policy, caller: Caller, asked: readonly Scope[]): readonly Scope[] {
  const granted = new Map<string, { readonly scope: Scope; readonly actions: Set<string> }>();
  for (const scope of asked) {
    const actions = grantActions(policy, caller, scope);
    if (actions.length === 0) continue;
    const key = `${scope.type}(${scope.class ?? ""}):${scope.name}`;
    const known = granted.get(key);
    if (known === undefined) granted.set(key, { scope, actions: new Set(actions) });
    else for (const action of actions) known.actions.add(action);
  }
  return [...granted.values()].map(({ scope, actions }) => ({ ...scope, actions: [...actions] }));
}

function grantActions(policy: Policy, caller: Caller, scope: Scope): readonly string[] {
  if (scope.type === "registry") {
    const catalog = scope.name === "catalog" && scope.actions.includes("*");
    return catalog && mayList(policy, caller) ? ["*"] : [];
  }
  if (scope.type !== "repository") return [];
  const all = scope.actions.includes("*");
  const allowed = ACTIONS.filter(
    (action) =>
      (all || scope.actions.includes(action)) &&
      decideAccess(policy, caller, { repository: scope.name, action }).allowed,
  );
  return all && allowed.length === ACTIONS.length ? [...allowed, "*"] : allowed;
}

/** Whoever may pull something may list what that is; the list shows nothing else. */
export function mayList(policy: Policy, caller: Caller): boolean {
  return viewOf(policy, caller).prefixes.length > 0;
}

/** What a token grants, quick to ask. */
export class GrantedScopes {
  readonly #actions = new Map<string, Set<string>>();

  constructor(scopes: readonly Scope[]) {
    for (const { type, name, actions } of scopes) {
      const key = `${type}:${name}`;
      this.#actions.set(key, new Set([...(this.#actions.get(key) ?? []), ...actions]));
    }
  }

  has(type: string, name: string, action: string): boolean {
    const actions = this.#actions.get(`${type}:${name}`);
    return actions !== undefined && (actions.has(action) || actions.has("*"));
  }

  /** The repositories that may be pulled from. */
  get repositories(): readonly string[] {
    return [...this.#actions.keys()]
      .filter((key) => key.startsWith("repository:"))
      .map((key) => key.slice("repository:".length))
      .filter((name) => this.has("repository", name, "pull"));
  }
}
