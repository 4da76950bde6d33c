import type { KubernetesObject } from "../objects/object.ts";

/** A difference between what was known and what is. */
export type Change<T extends KubernetesObject = KubernetesObject> =
  | { readonly type: "added"; readonly object: T }
  | { readonly type: "updated"; readonly object: T; readonly old: T }
  /** `object` is the last state that was seen. */
  | { readonly type: "deleted"; readonly object: T };

/** The values under which an object is found. */
export type ObjectIndex<T extends KubernetesObject> = (object: T) => readonly string[];

/** Objects by namespace and name, and by any other index; each operation says what changed by it. */
export class ObjectCache<T extends KubernetesObject = KubernetesObject> {
  readonly #objects = new Map<string, T>();
  readonly #indexes = new Map<
    string,
    { readonly read: ObjectIndex<T>; readonly sets: Map<string, Set<string>> }
  >();

  constructor(indexes: Readonly<Record<string, ObjectIndex<T>>> = {}) {
    this.#add("namespace", (object) => [object.metadata.namespace ?? ""]);
    for (const [name, read] of Object.entries(indexes)) this.#add(name, read);
  }

  get size(): number {
    return this.#objects.size;
  }

  get(name: string, namespace = ""): T | undefined {
    return this.#objects.get(`${namespace}/${name}`);
  }

  list(namespace?: string): readonly T[] {
    return namespace === undefined ? [...this.#objects.values()] : this.by("namespace", namespace);
  }

  by(index: string, value: string): readonly T[] {
    const entry = this.#indexes.get(index);
    if (entry === undefined) throw new TypeError(`Cannot look objects up: no index is called "${index}"`);
    return [...(entry.sets.get(value) ?? [])].flatMap((key) => this.#objects.get(key) ?? []);
  }

  /** What is known already, to the version, is no change. */
  put(object: T): Change<T> | undefined {
    const key = keyOf(object);
    const old = this.#objects.get(key);
    if (old !== undefined && isSame(old, object)) return undefined;
    if (old !== undefined) this.#unlink(key, old);
    this.#objects.set(key, object);
    this.#link(key, object);
    return old === undefined ? { type: "added", object } : { type: "updated", object, old };
  }

  remove(object: T): Change<T> | undefined {
    const key = keyOf(object);
    const old = this.#objects.get(key);
    if (old === undefined) return undefined;
    this.#unlink(key, old);
    this.#objects.delete(key);
    return { type: "deleted", object };
  }

  /** Takes a whole list in. One that was deleted and made anew meanwhile is told as both. */
  replace(objects: readonly T[]): readonly Change<T>[] {
    const changes: (Change<T> | undefined)[] = [];
    const next = new Map(objects.map((object) => [keyOf(object), object]));
    for (const [key, old] of this.#objects) {
      const successor = next.get(key);
      if (successor === undefined || successor.metadata.uid !== old.metadata.uid)
        changes.push(this.remove(old));
    }
    for (const object of next.values()) changes.push(this.put(object));
    return changes.filter((change) => change !== undefined);
  }

  #add(name: string, read: ObjectIndex<T>): void {
    this.#indexes.set(name, { read, sets: new Map() });
  }

  #link(key: string, object: T): void {
    for (const { read, sets } of this.#indexes.values()) {
      for (const value of read(object)) {
        const set = sets.get(value);
        if (set === undefined) sets.set(value, new Set([key]));
        else set.add(key);
      }
    }
  }

  #unlink(key: string, object: T): void {
    for (const { read, sets } of this.#indexes.values()) {
      for (const value of read(object)) {
        const set = sets.get(value);
        set?.delete(key);
        if (set?.size === 0) sets.delete(value);
      }
    }
  }
}

function keyOf(object: KubernetesObject): string {
  return `${object.metadata.namespace ?? ""}/${object.metadata.name ?? ""}`;
}

function isSame(one: KubernetesObject, other: KubernetesObject): boolean {
  const version = one.metadata.resourceVersion;
  return (
    version !== undefined &&
    version === other.metadata.resourceVersion &&
    one.metadata.uid === other.metadata.uid
  );
}
