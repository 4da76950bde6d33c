import { patternOf } from "../limits.ts";
import type { RepositoryPattern } from "../access/pattern.ts";
import { RegistryError } from "../errors.ts";
import { TagPattern } from "../tag-pattern.ts";
import type { TagRecord } from "./garbage.ts";

/**
 * What stays in some repositories. A tag that some rule speaks of goes, unless a rule keeps it: of several reasons to
 * stay, one is enough. A rule speaks of tags when it says how to keep them.
 */
export interface RetentionRule {
  /** Patterns, as in policies: `team/**`. */
  readonly repositories: readonly string[];
  /** Patterns with `*` of the tags it speaks of; all by default. */
  readonly tags?: readonly string[] | undefined;
  /** So many of these tags stay, those that were pushed last. */
  readonly keepLast?: number | undefined;
  /** Tags pushed within so many milliseconds stay. */
  readonly keepWithin?: number | undefined;
  /** Tags stay that match one of these patterns. */
  readonly keepTags?: readonly string[] | undefined;
  /**
   * Manifests go that no tag and no index named for so many milliseconds, that nobody asked for either, and that refer
   * to nothing here.
   */
  readonly untaggedAfter?: number | undefined;
  /** The same for those that refer to a manifest which isn't here. */
  readonly danglingAfter?: number | undefined;
}

export interface TagVerdict extends TagRecord {
  readonly keep: boolean;
  /**
   * - `last`, `young`, `pattern`: a rule keeps it
   * - `immutable`: it never goes
   * - `describes`: it is the old way to attach something to a manifest that stays, `sha256-9f…`
   * - `other`: no rule speaks of it
   * - `superseded`: rules speak of it, and none keeps it
   */
  readonly reason: "last" | "young" | "pattern" | "immutable" | "describes" | "other" | "superseded";
}

/** The rules that hold for one repository. */
export interface Retention {
  readonly speaksOfTags: boolean;
  /** Milliseconds, the longest that any rule says; `undefined` when they stay. */
  readonly untaggedAfter: number | undefined;
  readonly danglingAfter: number | undefined;
  /** Pure: what becomes of all the tags of a repository, in their order. */
  decide(tags: readonly TagRecord[], state: RetentionState): readonly TagVerdict[];
}

export interface RetentionState {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly isImmutable: (tag: string) => boolean;
  /** Whether the repository has that manifest. */
  readonly hasManifest: (digest: string) => boolean;
}

interface OpenRule extends RetentionRule {
  readonly patterns: readonly RepositoryPattern[];
  readonly scope: readonly TagPattern[] | undefined;
  readonly kept: readonly TagPattern[];
}

/**
 * Reads the rules once; the result says which of them hold for a repository, if any.
 *
 * @throws RegistryError `CONFIG_INVALID`
 */
export function openRetention(
  rules: readonly RetentionRule[],
): (repository: string) => Retention | undefined {
  const open = rules.map(openRule);
  return (repository) => {
    const matching = open.filter((rule) => rule.patterns.some((one) => one.matches(repository, undefined)));
    if (matching.length === 0) return undefined;
    const speaking = matching.filter(speaksOfTags);
    return {
      speaksOfTags: speaking.length > 0,
      untaggedAfter: longest(matching.map((rule) => rule.untaggedAfter)),
      danglingAfter: longest(matching.map((rule) => rule.danglingAfter)),
      decide: (tags, state) => decide(speaking, tags, state),
    };
  };
}

function openRule(rule: RetentionRule, index: number): OpenRule {
  const place = `retention[${index}]`;
  for (const name of ["keepLast", "keepWithin", "untaggedAfter", "danglingAfter"] as const) {
    const value = rule[name];
    if (value === undefined || (Number.isFinite(value) && value >= 0)) continue;
    throw new RegistryError("CONFIG_INVALID", `Cannot use ${place}.${name} ${value}: it must be 0 or more`);
  }
  if (!speaksOfTags(rule) && rule.untaggedAfter === undefined && rule.danglingAfter === undefined) {
    const ways = "keepLast, keepWithin, keepTags, untaggedAfter or danglingAfter";
    throw new RegistryError("CONFIG_INVALID", `Cannot use ${place}: it says nothing; add ${ways}`);
  }
  return {
    ...rule,
    patterns: rule.repositories.map((text) => patternOf(text, `${place}.repositories`)),
    scope: rule.tags?.map((text) => new TagPattern(text)),
    kept: (rule.keepTags ?? []).map((text) => new TagPattern(text)),
  };
}

function speaksOfTags(rule: RetentionRule): boolean {
  return rule.keepLast !== undefined || rule.keepWithin !== undefined || rule.keepTags !== undefined;
}

function longest(times: readonly (number | undefined)[]): number | undefined {
  const said = times.filter((time) => time !== undefined);
  return said.length === 0 ? undefined : Math.max(...said);
}

function decide(
  rules: readonly OpenRule[],
  tags: readonly TagRecord[],
  state: RetentionState,
): readonly TagVerdict[] {
  const reasons = new Map<string, TagVerdict["reason"]>();
  for (const rule of rules) {
    const mine = tags.filter(({ name }) => rule.scope?.some((pattern) => pattern.matches(name)) ?? true);
    const last = new Set(mine.toSorted(youngestFirst).slice(0, rule.keepLast ?? 0));
    for (const tag of mine) {
      const reason = reasonToKeep(rule, tag, state.now) ?? (last.has(tag) ? "last" : "superseded");
      const known = reasons.get(tag.name);
      if (known === undefined || known === "superseded") reasons.set(tag.name, reason);
    }
  }
  return tags.map((tag) => {
    const ruled = reasons.get(tag.name) ?? "other";
    const reason = ruled === "superseded" ? (reasonBeyondRules(tag, state) ?? ruled) : ruled;
    return { ...tag, keep: reason !== "superseded", reason };
  });
}

function reasonToKeep(rule: OpenRule, tag: TagRecord, now: number): "pattern" | "young" | undefined {
  if (rule.kept.some((pattern) => pattern.matches(tag.name))) return "pattern";
  return rule.keepWithin !== undefined && now - tag.taggedAt <= rule.keepWithin ? "young" : undefined;
}

/** Signatures and the like of what stays, stay: `sha256-<hex>`, `sha256-<hex>.sig`. */
function reasonBeyondRules(tag: TagRecord, state: RetentionState): "immutable" | "describes" | undefined {
  if (state.isImmutable(tag.name)) return "immutable";
  const match = /^(sha256|sha512)-([0-9a-f]{64,128})(?:\.[a-z]+)?$/.exec(tag.name);
  return match !== null && state.hasManifest(`${match[1]}:${match[2]}`) ? "describes" : undefined;
}

/** Those pushed at the same moment by name, so that every run decides the same. */
function youngestFirst(a: TagRecord, b: TagRecord): number {
  return b.taggedAt - a.taggedAt || (a.name < b.name ? 1 : -1);
}
