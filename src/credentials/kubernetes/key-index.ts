/**
 * Finds the registry keys that serve an image without trying them all. Keys stand in a tree, by port and number of
 * labels, then label by label from the right; at its leaves by path. Labels without a star, and those with just one,
 * are found by hashing; only stranger patterns are tried in turn.
 */
import { matchPattern } from "../../internal/go/match.ts";
import { type MatchTarget, parseTarget } from "./url-match.ts";

interface Branch {
  readonly literals: Map<string, Branch>;
  readonly starred: StarredGroup[];
  readonly patterns: { readonly pattern: string; readonly branch: Branch }[];
  /** Positions in the list of keys, by the path of the key. */
  readonly paths: Map<string, number[]>;
  readonly pathLengths: Set<number>;
}

/** Patterns such as `ab*c` that have as much before and behind their star. */
interface StarredGroup {
  readonly before: number;
  readonly behind: number;
  readonly branches: Map<string, Branch>;
}

const SINGLE_STAR = /^[^*?[\]\\]*\*[^*?[\]\\]*$/;
const SPECIAL = /[*?[\\]/;

export class KeyIndex {
  readonly #roots = new Map<string, Branch>();
  readonly #keys: readonly string[];

  /** The order of the keys is the order in which they are found. */
  constructor(keys: readonly string[]) {
    this.#keys = keys;
    for (const [position, key] of keys.entries()) {
      const target = parseTarget(key);
      if (target !== undefined) this.#insert(target, position);
    }
  }

  /** The keys that match, in order. */
  find(image: string): readonly string[] {
    const target = parseTarget(image);
    const root = target === undefined ? undefined : this.#roots.get(rootOf(target));
    if (target === undefined || root === undefined) return [];
    const found: number[] = [];
    collect(root, target, target.labels.length - 1, found);
    return found.toSorted((a, b) => a - b).map((position) => this.#keys[position] as string);
  }

  #insert(target: MatchTarget, position: number): void {
    let branch = getOrAdd(this.#roots, rootOf(target), newBranch);
    for (const label of target.labels.toReversed()) branch = branchFor(branch, label);
    getOrAdd(branch.paths, target.path, () => []).push(position);
    branch.pathLengths.add(target.path.length);
  }
}

function rootOf({ port, labels }: MatchTarget): string {
  return `${labels.length}:${port}`;
}

function branchFor(branch: Branch, label: string): Branch {
  if (!SPECIAL.test(label)) return getOrAdd(branch.literals, label, newBranch);
  if (!SINGLE_STAR.test(label)) {
    const known = branch.patterns.find(({ pattern }) => pattern === label);
    const added = known ?? { pattern: label, branch: newBranch() };
    if (known === undefined) branch.patterns.push(added);
    return added.branch;
  }
  const before = label.indexOf("*");
  const behind = label.length - before - 1;
  let group = branch.starred.find((candidate) => candidate.before === before && candidate.behind === behind);
  if (group === undefined) {
    group = { before, behind, branches: new Map() };
    branch.starred.push(group);
  }
  return getOrAdd(group.branches, label, newBranch);
}

function collect(branch: Branch, target: MatchTarget, at: number, found: number[]): void {
  const label = target.labels[at];
  if (label === undefined) {
    collectPaths(branch, target.path, found);
    return;
  }
  const literal = branch.literals.get(label);
  if (literal !== undefined) collect(literal, target, at - 1, found);
  for (const { before, behind, branches } of branch.starred) {
    if (label.length < before + behind) continue;
    const pattern = `${label.slice(0, before)}*${label.slice(label.length - behind)}`;
    const starred = branches.get(pattern);
    if (starred !== undefined) collect(starred, target, at - 1, found);
  }
  for (const { pattern, branch: next } of branch.patterns) {
    if (matchPattern(pattern, label) === true) collect(next, target, at - 1, found);
  }
}

function collectPaths({ paths, pathLengths }: Branch, path: string, found: number[]): void {
  for (const length of pathLengths) {
    if (length <= path.length) found.push(...(paths.get(path.slice(0, length)) ?? []));
  }
}

function newBranch(): Branch {
  return { literals: new Map(), starred: [], patterns: [], paths: new Map(), pathLengths: new Set() };
}

function getOrAdd<T>(map: Map<string, T>, key: string, create: () => T): T {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = create()));
  return value;
}
