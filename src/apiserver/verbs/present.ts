/** Between the version an object is kept in and the one a client speaks. */
import type { ApiResource, KubernetesObject } from "../../kubernetes/index.ts";
import { encodeObject } from "../storage/encode-object.ts";
import type { StoredObject } from "../storage/storage.ts";
import { isEventsGroup, toCoreEvent, toEventsGroup } from "./event-versions.ts";

/** An object on its way out: its JSON is known where it was read from the storage. */
export interface Presented {
  readonly object: KubernetesObject;
  readonly text: string;
}

export function presentStored(resource: ApiResource, stored: StoredObject): Presented {
  return isEventsGroup(resource) ? presentObject(resource, stored.object) : stored;
}

export function presentObject(resource: ApiResource, object: KubernetesObject): Presented {
  const shown = isEventsGroup(resource) ? toEventsGroup(object) : object;
  return { object: shown, text: encodeObject(shown) };
}

/** From what a client sent to what is kept. */
export function fromClient(resource: ApiResource, object: KubernetesObject): KubernetesObject {
  return isEventsGroup(resource) ? toCoreEvent(object) : object;
}

/** From what is kept to what a client may change. */
export function forClient(resource: ApiResource, object: KubernetesObject): KubernetesObject {
  return isEventsGroup(resource) ? toEventsGroup(object) : object;
}
