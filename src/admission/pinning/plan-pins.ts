/** Which images of a request are to be pinned, and which stay or become again what they were. */
import { formatReference, parseReference, type Reference, tagNameOnly } from "../../reference/index.ts";
import type { ImageSlot } from "../pod-images.ts";
import { type Originals, slotKey } from "./originals.ts";

export interface ImagesBefore {
  readonly slots: readonly ImageSlot[];
  readonly originals: Originals;
}

/** What becomes of one image. */
export type Plan =
  | { readonly slot: ImageSlot; readonly step: "leave" }
  /** Somebody wrote again what was pinned already: the pin stands. */
  | { readonly slot: ImageSlot; readonly step: "restore"; readonly pinned: string }
  | { readonly slot: ImageSlot; readonly step: "pin"; readonly reference: Reference };

export function planPins(slots: readonly ImageSlot[], before: ImagesBefore | undefined): readonly Plan[] {
  const old = new Map(before?.slots.map((slot) => [slotKey(slot), slot.image]));
  return slots.map((slot): Plan => {
    const known = old.get(slotKey(slot));
    if (slot.image === known) return { slot, step: "leave" };
    const reference = readImage(slot.image);
    if (reference === undefined || reference.digest !== undefined) return { slot, step: "leave" };
    const original = before?.originals.get(slotKey(slot));
    if (known !== undefined && original === slot.image && isPinOf(known, original)) {
      return { slot, step: "restore", pinned: known };
    }
    return { slot, step: "pin", reference: tagNameOnly(reference) };
  });
}

/** The author's spelling, with the tag that was meant and the digest it stands for. */
export function pinnedText({ image }: ImageSlot, { tag }: Reference, digest: string): string {
  const tagged = tag !== undefined && image.endsWith(`:${tag}`) ? image : `${image}:${tag ?? "latest"}`;
  return `${tagged}@${digest}`;
}

/** Whether an image is what pinning made of a text. */
export function isPinOf(image: string, original: string): boolean {
  const [pinned, meant] = [readImage(image), readImage(original)];
  if (pinned?.digest === undefined || meant === undefined || meant.digest !== undefined) return false;
  const { domain, path, tag } = pinned;
  return tag !== undefined && formatReference({ domain, path, tag }) === formatReference(tagNameOnly(meant));
}

/** Names come again and again: with each replica, and twice in each review. */
const KNOWN_NAMES = 1000;
const known = new Map<string, Reference | undefined>();

/** Undefined for what is no image name; the node will say so. */
export function readImage(image: string): Reference | undefined {
  const found = known.get(image);
  if (found !== undefined || known.has(image)) return found;
  const reference = parse(image);
  if (known.size >= KNOWN_NAMES) known.clear();
  if (image.length < 500) known.set(image, reference);
  return reference;
}

function parse(image: string): Reference | undefined {
  try {
    return parseReference(image);
  } catch {
    return undefined;
  }
}
