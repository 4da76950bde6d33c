import type { OwnerReference } from "../../kubernetes/index.ts";
import type { ObjectKey } from "../storage/storage.ts";

export function placeOf({ resource, namespace, name }: ObjectKey): string {
  return `${resource} ${namespace} ${name}`;
}

/** What is owned by whom, by the owner's uid. */
export class OwnerIndex {
  readonly #dependents = new Map<string, Map<string, ObjectKey>>();

  set(key: ObjectKey, owners: readonly OwnerReference[]): void {
    for (const { uid } of owners) {
      let dependents = this.#dependents.get(uid);
      if (dependents === undefined) this.#dependents.set(uid, (dependents = new Map()));
      dependents.set(placeOf(key), key);
    }
  }

  remove(key: ObjectKey, owners: readonly OwnerReference[]): void {
    for (const { uid } of owners) {
      const dependents = this.#dependents.get(uid);
      dependents?.delete(placeOf(key));
      if (dependents?.size === 0) this.#dependents.delete(uid);
    }
  }

  dependentsOf(uid: string): readonly ObjectKey[] {
    return [...(this.#dependents.get(uid)?.values() ?? [])];
  }
}
