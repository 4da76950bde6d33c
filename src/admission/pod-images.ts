/** The images of a Pod spec, in the order Kubernetes goes through them. */
import type { JsonObject } from "../kubernetes/index.ts";
import { isObject, objectsOf, textOf } from "./json.ts";

export const CONTAINER_LISTS = ["initContainers", "containers", "ephemeralContainers"] as const;

export type ImageList = (typeof CONTAINER_LISTS)[number] | "volumes";

/** One place of a Pod spec that names an image. */
export interface ImageSlot {
  readonly list: ImageList;
  readonly index: number;
  /** The container's, or the volume's; no two of one list have the same. */
  readonly name: string;
  /** As it is written. */
  readonly image: string;
  /** Below the Pod spec: `containers[0].image`, `volumes[1].image.reference`. */
  readonly field: string;
}

export interface SlotFilter {
  /** By default they are among them. */
  readonly volumes?: boolean;
}

export function listImages(spec: JsonObject | undefined, filter: SlotFilter = {}): readonly ImageSlot[] {
  const slots: ImageSlot[] = [];
  if (spec === undefined) return slots;
  for (const list of CONTAINER_LISTS) {
    const containers = objectsOf(spec[list]);
    for (const [index, container] of containers.entries()) {
      const field = `${list}[${index}].image`;
      slots.push({ list, index, name: textOf(container["name"]), image: textOf(container["image"]), field });
    }
  }
  if (filter.volumes === false) return slots;
  for (const [index, volume] of objectsOf(spec["volumes"]).entries()) {
    const { name, image: source } = volume;
    if (!isObject(source)) continue;
    const field = `volumes[${index}].image.reference`;
    slots.push({ list: "volumes", index, name: textOf(name), image: textOf(source["reference"]), field });
  }
  return slots;
}

/**
 * The same Pod spec with members of its containers and image volumes' sources replaced. What `change` gives back as
 * it was stays the very same object, up to the whole spec.
 */
export function mapImageOwners(
  spec: JsonObject,
  change: (owner: JsonObject, place: { readonly list: ImageList; readonly index: number }) => JsonObject,
): JsonObject {
  let changed: Record<string, JsonObject[string]> | undefined;
  for (const list of CONTAINER_LISTS) {
    const next = mapList(spec[list], (container, index) => change(container, { list, index }));
    if (next !== undefined) (changed ??= { ...spec })[list] = next;
  }
  const volumes = mapList(spec["volumes"], (volume, index) => {
    const { image: source } = volume;
    if (!isObject(source)) return volume;
    const next = change(source, { list: "volumes", index });
    return next === source ? volume : { ...volume, image: next };
  });
  if (volumes !== undefined) (changed ??= { ...spec })["volumes"] = volumes;
  return changed ?? spec;
}

/** Undefined where nothing changed. */
function mapList(
  value: unknown,
  change: (item: JsonObject, index: number) => JsonObject,
): readonly JsonObject[] | undefined {
  const items = objectsOf(value);
  const next = items.map(change);
  return next.some((item, index) => item !== items[index]) ? next : undefined;
}
