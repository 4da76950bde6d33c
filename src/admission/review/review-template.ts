/**
 * What two reviews have in common that differ in nothing but some of their texts, so that further ones needn't be read
 * from the beginning:
 *
 * ```text
 * one       {"request":{"uid":"1f…","name":"web-1","namespace":"shop",…}}
 * other     {"request":{"uid":"2e…","name":"web-2","namespace":"shop",…}}
 * template  {"request":{"uid":"  ","name":"     ","namespace":"shop",…}}
 * ```
 *
 * A text stands for itself only where it is of plain characters, which need no unescaping; anything else doesn't fit,
 * and is read like any JSON.
 */
import type { Json } from "../../kubernetes/index.ts";
import { isObject } from "../json.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
/** Where there are more, two reviews have little to do with one another. */
const MAX_HOLES = 32;

/** From behind the opening quote to before the closing one, in bytes. */
interface Hole {
  readonly start: number;
  readonly end: number;
}

/** Which members lead to holes; a number is the hole's own. */
type Route = readonly { readonly member: string | number; readonly to: Route | number }[];

/** What a template finds in a review: the texts in its holes, in their order. */
export type HoleTexts = readonly string[];

export class ReviewTemplate {
  /** What stands before each hole, and behind the last one. */
  readonly #pieces: readonly Buffer[];
  readonly #sample: Json;
  readonly #route: Route;
  /** Which hole has the uid of the review. */
  readonly uidHole: number;

  private constructor(
    pieces: readonly Buffer[],
    read: { readonly sample: Json; readonly route: Route; readonly uidHole: number },
  ) {
    this.#pieces = pieces;
    this.#sample = read.sample;
    this.#route = read.route;
    this.uidHole = read.uidHole;
  }

  /** Of two reviews that are JSON; undefined where they differ in more than their texts, or have the same uid. */
  static learn(one: Buffer, other: Buffer): ReviewTemplate | undefined {
    const holes = findHoles(one, other);
    if (holes === undefined || holes.length === 0) return undefined;
    const mark = unusedText(one);
    const pieces: Buffer[] = [];
    let at = 0;
    for (const { start, end } of holes) {
      pieces.push(Buffer.from(one.subarray(at, start)));
      at = end;
    }
    pieces.push(Buffer.from(one.subarray(at)));
    const sample = JSON.parse(
      pieces.map((piece, index) => (index === 0 ? "" : `${mark}${index - 1}.`) + piece.toString()).join(""),
    ) as Json;
    const found = new Set<number>();
    const route = findRoute(sample, { mark, found }) ?? [];
    // Names of members aren't to be filled in, nor what another member of the same name takes away again.
    if (typeof route === "number" || found.size < holes.length) return undefined;
    const uidHole = follow(route, ["request", "uid"]);
    return uidHole === undefined ? undefined : new ReviewTemplate(pieces, { sample, route, uidHole });
  }

  /** Undefined for a review that doesn't fit. */
  read(review: Buffer): HoleTexts | undefined {
    const pieces = this.#pieces;
    const last = pieces.length - 1;
    const tail = pieces[last] as Buffer;
    const end = review.length - tail.length;
    // Most that don't fit don't end alike.
    if (end < 0 || !hasAt(review, tail, end)) return undefined;
    const texts: string[] = [];
    let at = 0;
    for (let index = 0; index < last; index++) {
      const piece = pieces[index] as Buffer;
      if (at + piece.length > end || !hasAt(review, piece, at)) return undefined;
      const start = at + piece.length;
      at = endOfText(review, start);
      if (at === -1) return undefined;
      texts.push(review.toString("latin1", start, at));
    }
    return at === end ? texts : undefined;
  }

  /** What `JSON.parse` makes of a review with these texts. What has no holes is shared by all of them. */
  fill(texts: HoleTexts): Json {
    return fill(this.#sample, this.#route, texts);
  }
}

function hasAt(review: Buffer, piece: Buffer, at: number): boolean {
  return review.compare(piece, 0, piece.length, at, at + piece.length) === 0;
}

/** Where one differs from the other; undefined where it does outside of texts. */
function findHoles(one: Buffer, other: Buffer): readonly Hole[] | undefined {
  const holes: Hole[] = [];
  /** Where the text began that is being read; -1 outside of texts. */
  let start = -1;
  let otherStart = -1;
  let at = 0;
  let otherAt = 0;
  while (at < one.length && otherAt < other.length) {
    const byte = one[at];
    if (byte === other[otherAt]) {
      if (byte === QUOTE) {
        start = start === -1 ? at + 1 : -1;
        otherStart = otherAt + 1;
      } else if (byte === BACKSLASH && start !== -1) {
        at++;
        otherAt++;
        if (one[at] !== other[otherAt]) return undefined;
      }
      at++;
      otherAt++;
      continue;
    }
    if (start === -1 || holes.length === MAX_HOLES) return undefined;
    at = endOfText(one, start);
    otherAt = endOfText(other, otherStart);
    // Another member is another kind of thing.
    if (at === -1 || otherAt === -1 || one[at + 1] === COLON) return undefined;
    holes.push({ start, end: at });
  }
  return at === one.length && otherAt === other.length ? holes : undefined;
}

/** Where the closing quote is; -1 where anything comes before it that isn't what it looks like. */
function endOfText(bytes: Buffer, start: number): number {
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) return at;
    if (byte < 0x20 || byte > 0x7e || byte === BACKSLASH) return -1;
  }
  return -1;
}

/** Looked for in what was read: there, no escape hides it. */
function unusedText(review: Buffer): string {
  const text = JSON.stringify(JSON.parse(review.toString()));
  let mark = "hole.";
  while (text.includes(mark)) mark = `${mark}${mark.length}.`;
  return mark;
}

function findRoute(
  value: Json | undefined,
  marked: { readonly mark: string; readonly found: Set<number> },
): Route | number | undefined {
  if (typeof value === "string") {
    if (!value.startsWith(marked.mark)) return undefined;
    const hole = Number.parseInt(value.slice(marked.mark.length), 10);
    marked.found.add(hole);
    return hole;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const route: { readonly member: string | number; readonly to: Route | number }[] = [];
  const members = isObject(value) ? Object.keys(value) : value.keys();
  for (const member of members) {
    // What is assigned to this one goes elsewhere.
    if (member === "__proto__") continue;
    const to = findRoute((value as Readonly<Record<string | number, Json>>)[member], marked);
    if (to !== undefined) route.push({ member, to });
  }
  return route.length === 0 ? undefined : route;
}

function follow(route: Route, path: readonly string[]): number | undefined {
  let to: Route | number | undefined = route;
  for (const member of path) {
    to = typeof to === "number" ? undefined : to?.find((step) => step.member === member)?.to;
  }
  return typeof to === "number" ? to : undefined;
}

function fill(value: Json, route: Route, texts: HoleTexts): Json {
  const copy = (isObject(value) ? { ...value } : (value as readonly Json[]).slice()) as Record<
    string | number,
    Json
  >;
  for (const { member, to } of route) {
    copy[member] = typeof to === "number" ? (texts[to] as string) : fill(copy[member] as Json, to, texts);
  }
  return copy as Json;
}
