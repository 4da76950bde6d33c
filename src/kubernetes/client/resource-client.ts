import type { JsonObject, KubernetesObject } from "../objects/object.ts";
import { badRequest } from "../objects/status.ts";
import type { KubernetesClient, Query, ResourceName } from "./client.ts";
import { type ListOptions, listObjects, listTogether, type ObjectList } from "./lists.ts";
import { pathOf } from "./paths.ts";
import { isRefusal } from "./refusal.ts";
import { watchResource, type WatchEvent, type WatchOptions } from "./watch.ts";

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface PlaceOptions extends CallOptions {
  /** The client's own by default; the empty text is all namespaces, for what works on many. */
  readonly namespace?: string | undefined;
  readonly subresource?: string | undefined;
}

export interface WriteOptions extends PlaceOptions {
  readonly dryRun?: boolean | undefined;
  readonly fieldManager?: string | undefined;
  readonly fieldValidation?: "Strict" | "Warn" | "Ignore" | undefined;
}

export interface PatchOptions extends WriteOptions {
  /** Takes over fields that others apply; with `apply` only. */
  readonly force?: boolean | undefined;
}

export interface DeleteOptions extends PlaceOptions {
  readonly gracePeriodSeconds?: number | undefined;
  readonly propagationPolicy?: "Background" | "Foreground" | "Orphan" | undefined;
  /** Nothing is deleted unless the object still has these. */
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string } | undefined;
  readonly dryRun?: boolean | undefined;
}

export interface DeleteManyOptions extends DeleteOptions {
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

/** A change and the language it is written in. */
export type Patch =
  | { readonly type: "json"; readonly body: readonly JsonObject[] }
  | { readonly type: "merge" | "strategic" | "apply"; readonly body: JsonObject };

const PATCH_TYPES = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  apply: "application/apply-patch+yaml",
} as const;

/** The calls about one resource. All throw StatusError for what the server refuses. */
export class ResourceClient<T extends KubernetesObject = KubernetesObject> {
  readonly client: KubernetesClient;
  readonly resource: ResourceName;

  constructor(client: KubernetesClient, resource: ResourceName) {
    this.client = client;
    this.resource = resource;
  }

  async get(name: string, options: PlaceOptions = {}): Promise<T> {
    const { signal } = options;
    return await this.client.call<T>({ method: "GET", path: this.#path(name, options), signal });
  }

  /** `undefined` when there is none. */
  async find(name: string, options: PlaceOptions = {}): Promise<T | undefined> {
    try {
      return await this.get(name, options);
    } catch (error) {
      if (isRefusal(error, 404)) return undefined;
      throw error;
    }
  }

  /** In chunks, so that the first comes before the last is read; each once, also when the list had to start anew. */
  list(options: ListOptions = {}): AsyncIterable<T> {
    return listObjects<T>(this, options);
  }

  /** All of one moment, with the version of that moment. */
  async listAll(options: ListOptions = {}): Promise<ObjectList<T>> {
    return await listTogether<T>(this, options);
  }

  async create(object: T, options: WriteOptions = {}): Promise<T> {
    return await this.client.call<T>({
      method: "POST",
      path: pathOf(this.resource, { namespace: this.namespaceOf(object, options) }),
      query: this.#query(options),
      body: object,
      signal: options.signal,
    });
  }

  /** Posts to a subresource: a binding, a token request, an eviction. */
  async post<A extends JsonObject>(
    name: string,
    body: JsonObject,
    options: WriteOptions & { readonly subresource: string },
  ): Promise<A> {
    return await this.client.call<A>({
      method: "POST",
      path: this.#path(name, options),
      query: this.#query(options),
      body,
      signal: options.signal,
    });
  }

  /** Replaces an object; with its resourceVersion only if nobody changed it since. */
  async update(object: T, options: WriteOptions = {}): Promise<T> {
    const { name } = object.metadata;
    if (name === undefined) throw badRequest("Cannot update an object: it has no name");
    const namespace = this.namespaceOf(object, options);
    return await this.client.call<T>({
      method: "PUT",
      path: pathOf(this.resource, { namespace, name, subresource: options.subresource }),
      query: this.#query(options),
      body: object,
      signal: options.signal,
    });
  }

  async updateStatus(object: T, options: WriteOptions = {}): Promise<T> {
    return await this.update(object, { ...options, subresource: "status" });
  }

  async patch(name: string, patch: Patch, options: PatchOptions = {}): Promise<T> {
    return await this.client.call<T>({
      method: "PATCH",
      path: this.#path(name, options),
      query: { ...this.#query(options), force: options.force },
      // JSON is YAML, so an applied object needs no other text.
      body: JSON.stringify(patch.body),
      contentType: PATCH_TYPES[patch.type],
      signal: options.signal,
    });
  }

  /** The object as it goes, or a Status when it is gone. */
  async delete(name: string, options: DeleteOptions = {}): Promise<JsonObject> {
    return await this.client.call<JsonObject>({
      method: "DELETE",
      path: this.#path(name, options),
      body: deleteBody(options),
      signal: options.signal,
    });
  }

  async deleteCollection(options: DeleteManyOptions = {}): Promise<void> {
    const { labelSelector, fieldSelector, signal } = options;
    await this.client.call<JsonObject>({
      method: "DELETE",
      path: pathOf(this.resource, { namespace: options.namespace ?? this.client.namespace }),
      query: { labelSelector, fieldSelector },
      body: deleteBody(options),
      signal,
    });
  }

  /** Changes as they happen; see {@link watchResource}. */
  watch(options: WatchOptions): AsyncIterable<WatchEvent<T>> {
    return watchResource<T>(this, options);
  }

  /** Of a cluster's own resource: none. */
  namespaceOf(object: T, options: { readonly namespace?: string | undefined } = {}): string | undefined {
    if (!this.resource.namespaced) return undefined;
    return options.namespace ?? object.metadata.namespace ?? this.client.namespace;
  }

  #path(name: string, options: PlaceOptions): string {
    const { namespace = this.client.namespace, subresource } = options;
    return pathOf(this.resource, { namespace, name, subresource });
  }

  #query(options: WriteOptions): Query {
    return {
      dryRun: options.dryRun === true ? "All" : undefined,
      fieldManager: options.fieldManager ?? this.client.fieldManager,
      fieldValidation: options.fieldValidation,
    };
  }
}

function deleteBody(options: DeleteOptions): JsonObject {
  const { gracePeriodSeconds, propagationPolicy, preconditions } = options;
  return {
    kind: "DeleteOptions",
    apiVersion: "v1",
    ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
    ...(propagationPolicy !== undefined && { propagationPolicy }),
    ...(preconditions !== undefined && { preconditions: { ...preconditions } }),
    ...(options.dryRun === true && { dryRun: ["All"] }),
  };
}
