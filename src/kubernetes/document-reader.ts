import { type Document, type Node, isAlias, isMap, isPair, isScalar, isSeq, visit } from "yaml";

import type { Json } from "./objects/object.ts";

/** Something wrong in a file of manifests, at the place where a person would look. */
export interface ManifestProblem {
  readonly file: string;
  /** Counted from 1 in the file's order. */
  readonly document: number;
  /** Counted from 1; absent when the fault has no place. */
  readonly line?: number;
  readonly column?: number;
  readonly message: string;
}

/** A value of a document, with the path that leads to it as Kubernetes writes it: `spec.containers[0].image`. */
export interface Place {
  readonly node: Node | null | undefined;
  readonly path: string;
  /** Where to point when the value itself is missing. */
  readonly parent: Node | undefined;
}

export interface DocumentReaderOptions {
  readonly document: Document.Parsed;
  readonly problem: (message: string, node: Node | undefined) => void;
}

/** YAML's `<<` may bring in maps that bring in maps; nobody needs more than this. */
const MAX_MERGE_DEPTH = 8;
/** Entries brought in by merging, over the whole document. */
const MAX_MERGED = 20_000;
/** Values of one object as JSON, those that aliases repeat included. */
const MAX_VALUES = 100_000;

/**
 * Reads typed fields straight from the document's nodes, so that every complaint has a line. Aliases are followed
 * only where a field is asked for: a document whose aliases would unfold into millions of values costs nothing.
 */
export class DocumentReader {
  readonly #targets = new Map<Node, Node>();
  readonly #entries = new Map<Node, ReadonlyMap<string, Node | null>>();
  readonly #problem: DocumentReaderOptions["problem"];
  #merged = 0;

  constructor(options: DocumentReaderOptions) {
    this.#problem = options.problem;
    const anchors = new Map<string, Node>();
    visit(options.document, {
      Node: (_, node) => {
        // An anchor may be given again; an alias means the last one before it.
        if (isAlias(node)) {
          const target = anchors.get(node.source);
          if (target !== undefined) this.#targets.set(node, target);
          // Its name stays untold: a password that begins with a star, and isn't quoted, is an alias, too.
          else
            this.#problem("an alias has no anchor before it; a text that begins with * needs quotes", node);
        } else if (node.anchor !== undefined) {
          anchors.set(node.anchor, node);
        }
      },
    });
  }

  root(document: Document.Parsed): Place {
    return { node: document.contents, path: "", parent: undefined };
  }

  complain(place: Place, message: string): void {
    this.#problem(message, place.node ?? place.parent);
  }

  isAbsent(place: Place): boolean {
    const node = this.#follow(place.node);
    return node === undefined || node === null || (isScalar(node) && node.value === null);
  }

  member(place: Place, name: string): Place {
    const map = this.#follow(place.node);
    const path = place.path === "" ? name : `${place.path}.${name}`;
    const entries = isMap(map) ? this.#entriesOf(map, 0) : undefined;
    return { node: entries?.get(name), path, parent: map ?? place.parent };
  }

  /** The map here, its own and merged entries; complains when something else is here. */
  map(place: Place): ReadonlyMap<string, Place> | undefined {
    if (this.isAbsent(place)) return undefined;
    const map = this.#follow(place.node);
    if (!isMap(map)) {
      this.complain(place, `${place.path || "the document"} should be a map of names and values`);
      return undefined;
    }
    const places = new Map<string, Place>();
    for (const [name, node] of this.#entriesOf(map, 0)) {
      places.set(name, { node, path: place.path === "" ? name : `${place.path}.${name}`, parent: map });
    }
    return places;
  }

  /** The elements of a list; an absent one has none. */
  list(place: Place): readonly Place[] {
    if (this.isAbsent(place)) return [];
    const list = this.#follow(place.node);
    if (!isSeq(list)) {
      this.complain(place, `${place.path} should be a list`);
      return [];
    }
    return list.items.map((item, index) => ({
      node: item as Node | null,
      path: `${place.path}[${index}]`,
      parent: list,
    }));
  }

  /** Text, or `undefined` where there is none; complains about anything else. */
  text(place: Place): string | undefined {
    if (this.isAbsent(place)) return undefined;
    const node = this.#follow(place.node);
    if (isScalar(node) && typeof node.value === "string") return node.value;
    this.complain(
      place,
      `${place.path} should be text${isScalar(node) ? `; quote it: "${String(node.source)}"` : ""}`,
    );
    return undefined;
  }

  /** A whole number, or `undefined` where there is none; complains about anything else. */
  integer(place: Place): number | undefined {
    if (this.isAbsent(place)) return undefined;
    const node = this.#follow(place.node);
    if (isScalar(node) && Number.isInteger(node.value)) return node.value as number;
    this.complain(place, `${place.path} should be a whole number`);
    return undefined;
  }

  /** Text, or a number as it is written; complains about anything else. */
  textOrNumber(place: Place): string | undefined {
    const node = this.#follow(place.node);
    return isScalar(node) && typeof node.value === "number" ? String(node.source) : this.text(place);
  }

  /** Text that no complaint may quote. */
  hiddenText(place: Place): string | undefined {
    if (this.isAbsent(place)) return undefined;
    const node = this.#follow(place.node);
    if (isScalar(node) && typeof node.value === "string") return node.value;
    this.complain(place, `${place.path} should be text; quote it`);
    return undefined;
  }

  /** The value as JSON, or `undefined` where it unfolds into too much to be meant. */
  toJson(place: Place): Json | undefined {
    const budget = { left: MAX_VALUES };
    const value = this.#toJson(place.node, budget);
    return budget.left < 0 ? undefined : value;
  }

  #toJson(node: Node | null | undefined, budget: { left: number }): Json {
    if (--budget.left < 0) return null;
    const target = this.#follow(node);
    if (isMap(target)) {
      const entries = [...this.#entriesOf(target, 0)];
      // fromEntries defines own properties: a key "__proto__" stays a key.
      return Object.fromEntries(entries.map(([name, value]) => [name, this.#toJson(value, budget)]));
    }
    if (isSeq(target)) return target.items.map((item) => this.#toJson(item as Node | null, budget));
    const value: unknown = isScalar(target) ? target.value : null;
    return typeof value === "string" || typeof value === "boolean" || typeof value === "number"
      ? value
      : null;
  }

  #entriesOf(map: Node, depth: number): ReadonlyMap<string, Node | null> {
    const known = this.#entries.get(map);
    if (known !== undefined) return known;
    const entries = new Map<string, Node | null>();
    const merged: Node[] = [];
    // Set before merging: a map that merges itself ends here.
    this.#entries.set(map, entries);
    for (const pair of isMap(map) ? map.items : []) {
      if (!isPair(pair) || !isScalar(pair.key)) continue;
      const name = String(pair.key.value);
      if (name === "<<") {
        if (pair.value !== null) merged.push(pair.value as Node);
      } else if (entries.has(name)) {
        this.#problem(`${JSON.stringify(name)} stands twice in one map`, pair.key as Node);
      } else {
        entries.set(name, pair.value as Node | null);
      }
    }
    if (depth < MAX_MERGE_DEPTH) for (const node of merged) this.#merge(node, entries, depth);
    return entries;
  }

  #merge(node: Node, entries: Map<string, Node | null>, depth: number): void {
    const source = this.#follow(node);
    const maps = isSeq(source) ? source.items.map((item) => this.#follow(item as Node)) : [source];
    for (const map of maps) {
      if (!isMap(map)) continue;
      if (this.#merged > MAX_MERGED) return;
      for (const [name, value] of this.#entriesOf(map, depth + 1)) {
        if (++this.#merged > MAX_MERGED) return;
        if (!entries.has(name)) entries.set(name, value);
      }
    }
  }

  #follow(node: Node | null | undefined): Node | undefined {
    if (node === null || node === undefined) return undefined;
    return isAlias(node) ? this.#targets.get(node) : node;
  }
}
