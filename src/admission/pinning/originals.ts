/**
 * What the images of an object were called before they were pinned, in an annotation of it:
 *
 * ```text
 * images.dray.dev/original: {"containers/web":"nginx:1.27","volumes/data":"ghcr.io/team/data:2"}
 * ```
 */
import type { KubernetesObject } from "../../kubernetes/index.ts";
import { isObject } from "../json.ts";
import type { ImageSlot } from "../pod-images.ts";

export const ORIGINALS_ANNOTATION = "images.dray.dev/original";

export type Originals = ReadonlyMap<string, string>;

export function slotKey({ list, name }: Pick<ImageSlot, "list" | "name">): string {
  return `${list}/${name}`;
}

/** Empty for anything that isn't of the form above: people may write annotations, too. */
export function readOriginals(object: KubernetesObject | undefined): Originals {
  const text = object?.metadata?.annotations?.[ORIGINALS_ANNOTATION];
  if (typeof text !== "string") return new Map();
  try {
    const value: unknown = JSON.parse(text);
    if (!isObject(value)) return new Map();
    return new Map(
      Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
    );
  } catch {
    return new Map();
  }
}

/** The object with the annotation saying so; without it where nothing is pinned. */
export function withOriginals(object: KubernetesObject, originals: Originals): KubernetesObject {
  const text = JSON.stringify(Object.fromEntries(originals));
  const written = object.metadata?.annotations;
  // Most new objects have none, which takes no picking apart.
  if (originals.size > 0 && (written === undefined || written === null)) {
    return { ...object, metadata: { ...object.metadata, annotations: { [ORIGINALS_ANNOTATION]: text } } };
  }
  const { [ORIGINALS_ANNOTATION]: _, ...others } = written ?? {};
  const annotations = originals.size === 0 ? others : { ...others, [ORIGINALS_ANNOTATION]: text };
  const { annotations: _before, ...metadata } = object.metadata ?? {};
  const kept = Object.keys(annotations).length === 0 ? metadata : { ...metadata, annotations };
  return { ...object, metadata: kept };
}

export function sameOriginals(one: Originals, other: Originals): boolean {
  return one.size === other.size && [...one].every(([key, text]) => other.get(key) === text);
}
