/**
 * Who may do what, as a pure decision over rules.
 *
 * Nothing is allowed that no rule allows, and what a rule denies no other rule brings back. The order of rules has
 * no meaning. Every answer names what decided it.
 */
import { coveringPrefixes, type RepositoryView } from "../access.ts";
import type { RepositoryPattern } from "./pattern.ts";

export const ACTIONS = ["pull", "push", "delete"] as const;

export type Action = (typeof ACTIONS)[number];

/** Whom a rule speaks of. `everyone` needs no login; `users` are those who log in and aren't robots. */
export type Subject =
  | { readonly kind: "everyone" | "users" }
  | { readonly kind: "user" | "group" | "robot"; readonly name: string };

export interface Grant {
  readonly repositories: readonly RepositoryPattern[];
  readonly actions: readonly Action[];
}

export interface Rule extends Grant {
  /** How answers call it. */
  readonly label: string;
  readonly effect: "allow" | "deny";
  readonly subjects: readonly Subject[];
}

export interface Policy {
  readonly rules: readonly Rule[];
}

/** Somebody who asks, as far as policies care. */
export interface Caller {
  readonly kind: "anonymous" | "user" | "robot";
  /** Without a robot's `robot+`; empty for nobody in particular. */
  readonly name: string;
  readonly groups: readonly string[];
  /** What this robot may do besides what rules say. */
  readonly grants?: readonly Grant[] | undefined;
}

export const ANONYMOUS: Caller = { kind: "anonymous", name: "", groups: [] };

export interface Verdict {
  readonly allowed: boolean;
  /** What decided: `rule "developers" allows it`, `no rule allows it`. */
  readonly reason: string;
}

/** Whether this caller may do this in this repository, and why. */
export function decideAccess(
  policy: Policy,
  caller: Caller,
  wanted: { readonly repository: string; readonly action: Action },
): Verdict {
  const user = caller.kind === "user" ? caller.name : undefined;
  const speaksOf = (grant: Grant): boolean =>
    grant.actions.includes(wanted.action) &&
    grant.repositories.some((pattern) => pattern.matches(wanted.repository, user));
  let allowing: string | undefined;
  for (const rule of policy.rules) {
    if (rule.effect === "allow" && allowing !== undefined) continue;
    if (!isAmong(caller, rule.subjects) || !speaksOf(rule)) continue;
    if (rule.effect === "deny") return { allowed: false, reason: `${rule.label} denies it` };
    allowing = `${rule.label} allows it`;
  }
  if (allowing === undefined && caller.grants?.some(speaksOf) === true) {
    allowing = `robot ${JSON.stringify(caller.name)} was made for it`;
  }
  return allowing === undefined
    ? { allowed: false, reason: "no rule allows it" }
    : { allowed: true, reason: allowing };
}

export function viewOf(policy: Policy, caller: Caller): RepositoryView {
  const user = caller.kind === "user" ? caller.name : undefined;
  const grants = [
    ...policy.rules.filter((rule) => rule.effect === "allow" && isAmong(caller, rule.subjects)),
    ...(caller.grants ?? []),
  ];
  const prefixes = grants
    .filter((grant) => grant.actions.includes("pull"))
    .flatMap((grant) => grant.repositories.flatMap((pattern) => pattern.prefixFor(user) ?? []));
  return {
    sees: (repository) => decideAccess(policy, caller, { repository, action: "pull" }).allowed,
    prefixes: coveringPrefixes(prefixes),
  };
}

/** Whether a caller belongs to those a rule speaks of. */
function isAmong(caller: Caller, subjects: readonly Subject[]): boolean {
  return subjects.some((subject) => {
    switch (subject.kind) {
      case "everyone":
        return true;
      case "users":
        return caller.kind === "user";
      case "group":
        return caller.groups.includes(subject.name);
      case "user":
      case "robot":
        return caller.kind === subject.kind && caller.name === subject.name;
    }
  });
}
