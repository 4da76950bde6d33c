/**
 * Where the API keeps its objects, as the rest of the server needs it: the newest state, a bounded past, and what
 * changed, in order. Every write gets the next number of one counter, which is the object's `resourceVersion`, the
 * list's, and the place in the stream of changes.
 *
 * A write names the revision it is based on and fails when another came first. Whoever sees a revision can read
 * everything up to it: changes reach subscribers in order, after they are durable and readable.
 */
import type { KubernetesObject } from "../../kubernetes/index.ts";

/** One kind of thing, as in `pods` or `deployments.apps`. */
export type ResourceName = string;

export interface ObjectKey {
  readonly resource: ResourceName;
  /** Empty for what belongs to the whole cluster. */
  readonly namespace: string;
  readonly name: string;
}

/** One state of one object. Nobody changes `object`; it is shared by everyone who reads. */
export interface StoredObject {
  readonly key: ObjectKey;
  readonly revision: number;
  /** Carries its revision as `metadata.resourceVersion`. Parsed when it is first asked for. */
  readonly object: KubernetesObject;
  /** The object's JSON, beginning with `kind` and `apiVersion`. */
  readonly text: string;
}

export type ChangeType = "ADDED" | "MODIFIED" | "DELETED";

export interface Change {
  readonly type: ChangeType;
  /** After the change. For `DELETED` the last state, with the revision of its end. */
  readonly stored: StoredObject;
  /** Before it; absent for `ADDED`. */
  readonly previous?: StoredObject;
}

export interface Write {
  readonly key: ObjectKey;
  /** The revision this is based on; 0 where nothing may be there. */
  readonly expected: number;
  /** Absent to delete. `metadata.resourceVersion` is set by the storage. */
  readonly object?: KubernetesObject;
  /** Milliseconds since the epoch after which {@link ApiStorage.listExpired} names it; as before when absent. */
  readonly expires?: number;
}

export interface Scope {
  readonly resource: ResourceName;
  /** Absent or empty for all. */
  readonly namespace?: string | undefined;
}

export interface ListRange {
  /** The state at this revision; the newest when absent. */
  readonly at?: number | undefined;
  /** Only what comes after this place, in the order of namespace and name. */
  readonly after?: { readonly namespace: string; readonly name: string } | undefined;
  readonly limit?: number | undefined;
}

export interface ListedObjects {
  readonly items: readonly StoredObject[];
  readonly revision: number;
  /** How many more there are beyond `limit`. */
  readonly remaining: number;
}

export interface ApiStorage extends AsyncDisposable {
  /** The newest revision that can be read; never 0. */
  readonly revision: number;
  /** States before this one can't be read, nor changes up to it. */
  readonly compacted: number;
  find(key: ObjectKey): Promise<StoredObject | undefined>;
  /** @throws StorageError `REVISION_COMPACTED` */
  list(scope: Scope, range?: ListRange): Promise<ListedObjects>;
  /**
   * Durable when it resolves. For a deletion, what was there, with the revision of its end.
   *
   * @throws StorageError `REVISION_CONFLICT`, with what is there instead
   */
  write(write: Write): Promise<StoredObject>;
  /**
   * The changes after a revision, oldest first, at most `limit`.
   *
   * @throws StorageError `REVISION_COMPACTED`
   */
  listChanges(after: number, limit: number): Promise<readonly Change[]>;
  /** Tells of changes from now on. Returns the way to end that. */
  subscribe(listener: (changes: readonly Change[]) => void): () => void;
  listExpired(now: number, limit: number): Promise<readonly StoredObject[]>;
  /** How many objects there are of each resource. */
  count(): ReadonlyMap<ResourceName, number>;
  /** Waits for writes under way; later ones fail. Harmless when called twice. */
  close(): Promise<void>;
}
