import type { ObjectKey, StoredObject } from "./storage.ts";

/** The newest state of all objects of one resource, in the order of namespace and name. */
export class ResourceIndex {
  readonly #namespaces = new Map<string, NamespaceIndex>();
  #sorted: readonly string[] | undefined;
  #size = 0;
  #changed: number;

  /** @param changed nothing is known to have changed after this revision */
  constructor(changed: number) {
    this.#changed = changed;
  }

  get size(): number {
    return this.#size;
  }

  /** The revision of the last change; states since then are the newest. */
  get changed(): number {
    return this.#changed;
  }

  get(key: ObjectKey): StoredObject | undefined {
    return this.#namespaces.get(key.namespace)?.objects.get(key.name);
  }

  set(stored: StoredObject): void {
    const { namespace, name } = stored.key;
    let index = this.#namespaces.get(namespace);
    if (index === undefined) {
      this.#namespaces.set(namespace, (index = { objects: new Map(), sorted: undefined }));
      this.#sorted = undefined;
    }
    if (!index.objects.has(name)) {
      index.sorted = undefined;
      this.#size += 1;
    }
    index.objects.set(name, stored);
    this.#changed = Math.max(this.#changed, stored.revision);
  }

  /** @param stored the last state, with the revision of its end */
  delete(stored: StoredObject): void {
    const { namespace, name } = stored.key;
    const index = this.#namespaces.get(namespace);
    this.#changed = Math.max(this.#changed, stored.revision);
    if (index === undefined || !index.objects.delete(name)) return;
    index.sorted = undefined;
    this.#size -= 1;
    if (index.objects.size > 0) return;
    this.#namespaces.delete(namespace);
    this.#sorted = undefined;
  }

  list(
    namespace: string | undefined,
    after: { readonly namespace: string; readonly name: string } | undefined,
  ): readonly StoredObject[] {
    this.#sorted ??= [...this.#namespaces.keys()].toSorted(byBytes);
    const names = namespace === undefined || namespace === "" ? this.#sorted : [namespace];
    const found: StoredObject[] = [];
    for (const each of names) {
      const index = this.#namespaces.get(each);
      if (index === undefined || (after !== undefined && byBytes(each, after.namespace) < 0)) continue;
      index.sorted ??= [...index.objects.keys()].toSorted(byBytes);
      const start = after?.namespace === each ? after.name : undefined;
      for (const name of index.sorted) {
        if (start !== undefined && byBytes(name, start) <= 0) continue;
        found.push(index.objects.get(name) as StoredObject);
      }
    }
    return found;
  }
}

interface NamespaceIndex {
  readonly objects: Map<string, StoredObject>;
  sorted: readonly string[] | undefined;
}

/** Names are ASCII, where the order of UTF-16 units is that of bytes. */
function byBytes(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
