import type { KubernetesObject } from "../../kubernetes/index.ts";
import { isConflict } from "../storage/errors.ts";
import type { ApiStorage, ObjectKey, StoredObject } from "../storage/storage.ts";

/**
 * A change by the server itself, past admission and validation, made again where somebody else was faster.
 * `change` returns the very object it was given where nothing is to change.
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
    try {
      return await storage.write({ key, expected: current.revision, object });
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
  }
}
