import type { KubernetesObject } from "../../kubernetes/index.ts";
import { isReadyToGo } from "./graceful-deletion.ts";
import { isConflict } from "../storage/errors.ts";
import type { ApiStorage, ObjectKey, StoredObject } from "../storage/storage.ts";

/**
 * A change by the server itself, past admission and validation, made again where somebody else was faster.
 * `change` returns the very object it was given where nothing is to change. What only waited for this change to end
 * is deleted.
 *
 * @returns `undefined` where the object isn't there
 */
export async function mutateStored(
  storage: ApiStorage,
  key: ObjectKey,
  change: (object: KubernetesObject) => KubernetesObject,
): Promise<StoredObject | undefined> {
  for (;;) {
    const current = await storage.find(key);
    if (current === undefined) return undefined;
    const object = change(current.object);
    if (object === current.object) return current;
    const expected = current.revision;
    // It may have waited for nothing but this.
    const goes = isReadyToGo(object, current.object);
    try {
      return await storage.write(goes ? { key, expected } : { key, expected, object });
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
  }
}
