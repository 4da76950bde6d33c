/** What changed between two states of an object, as sets of fields. */
import type { Json } from "../objects/object.ts";
import { FieldSetBuilder } from "./field-set.ts";
import { equalJson, isList, isObject, memberOf, membersOf } from "./json.ts";
import { itemPlace, memberPlace, type Place } from "./place.ts";
import { itemsByStep, shapeOf } from "./typed-walk.ts";

export interface Comparison {
  readonly added: FieldSetBuilder;
  readonly removed: FieldSetBuilder;
  readonly modified: FieldSetBuilder;
}

export function compareObjects(before: Json, after: Json, place: Place): Comparison {
  const walk = new Walk();
  if (before !== after) walk.compare([before, after], place);
  // The object itself is nobody's.
  for (const set of [walk.added, walk.removed, walk.modified]) set.owned = false;
  return walk;
}

type Pair = readonly [before: Json | undefined, after: Json | undefined];

class Walk implements Comparison {
  readonly added: FieldSetBuilder = new FieldSetBuilder();
  readonly removed: FieldSetBuilder = new FieldSetBuilder();
  readonly modified: FieldSetBuilder = new FieldSetBuilder();
  readonly #path: string[] = [];

  compare([before, after]: Pair, place: Place | undefined): void {
    const shape = shapeOf(place, after ?? before);
    if (shape === "leaf" || (isBare(before) && isBare(after))) {
      if (before !== undefined && after !== undefined && !equalJson(before, after)) {
        this.modified.insert(this.#path);
      }
    } else if (shape === "members") this.#members([before, after], place);
    else this.#items([before, after], place as Place);
    if (before === undefined) this.added.insert(this.#path);
    else if (after === undefined) this.removed.insert(this.#path);
  }

  #members([before, after]: Pair, place: Place | undefined): void {
    const old = isObject(before) ? before : {};
    const now = isObject(after) ? after : {};
    for (const [name, value] of membersOf(old)) {
      const other = memberOf(now, name);
      if (other !== value) this.#step(`f:${name}`, [value, other], memberPlace(place, name));
    }
    for (const [name, value] of membersOf(now)) {
      if (memberOf(old, name) === undefined) {
        this.#step(`f:${name}`, [undefined, value], memberPlace(place, name));
      }
    }
  }

  #items([before, after]: Pair, place: Place): void {
    const old = itemsByStep(place, before);
    const now = itemsByStep(place, after);
    const item = itemPlace(place);
    for (const step of new Set([...old.keys(), ...now.keys()])) {
      const [left, right] = [old.get(step) ?? [], now.get(step) ?? []];
      if (left.length < 2 && right.length < 2) this.#step(step, [left[0], right[0]], item);
      // Several with one key count as a single leaf.
      else if (left.length > 1 && right.length > 1) {
        if (!equalJson(left, right)) this.modified.insert([...this.#path, step]);
      } else if (left.length > 1) {
        if (right.length > 0) this.#step(step, [undefined, right[0]], item);
        this.removed.insert([...this.#path, step]);
      } else {
        if (left.length > 0) this.#step(step, [left[0], undefined], item);
        this.added.insert([...this.#path, step]);
      }
    }
  }

  #step(step: string, pair: Pair, place: Place | undefined): void {
    this.#path.push(step);
    this.compare(pair, place);
    this.#path.pop();
  }
}

/** Nothing to go down to: then whether it is empty, null or absent makes the difference. */
function isBare(value: Json | undefined): boolean {
  if (isList(value)) return value.length === 0;
  return !isObject(value) || membersOf(value).length === 0;
}
