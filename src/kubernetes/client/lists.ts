import type { JsonObject, KubernetesObject } from "../objects/object.ts";
import { pathOf } from "./paths.ts";
import { isExpired } from "./refusal.ts";
import type { ResourceClient } from "./resource-client.ts";

export interface ListOptions {
  /** The client's own by default; the empty text is all namespaces. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** Objects to a chunk; 500 by default, 0 for all at once. */
  readonly limit?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ObjectList<T extends KubernetesObject> {
  readonly items: readonly T[];
  /** A watch from here misses nothing. */
  readonly resourceVersion: string;
}

interface Page<T extends KubernetesObject> extends JsonObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items: readonly T[] | null;
}

const CHUNK = 500;

export async function* listObjects<T extends KubernetesObject>(
  from: ResourceClient<T>,
  options: ListOptions,
): AsyncGenerator<T, void, undefined> {
  const seen = new Set<string>();
  for await (const { items } of pages(from, options)) {
    for (const item of items) {
      const key = `${item.metadata.namespace ?? ""}/${item.metadata.name ?? ""}`;
      if (seen.has(key)) continue;
      seen.add(key);
      yield item;
    }
  }
}

export async function listTogether<T extends KubernetesObject>(
  from: ResourceClient<T>,
  options: ListOptions,
): Promise<ObjectList<T>> {
  let items: T[] = [];
  let resourceVersion = "";
  for await (const page of pages(from, options)) {
    if (page.fresh) items = [];
    items.push(...page.items);
    resourceVersion = page.resourceVersion;
  }
  return { items, resourceVersion };
}

interface PageOfObjects<T extends KubernetesObject> extends ObjectList<T> {
  /** The first of a list: what came before, if anything did, no longer counts. */
  readonly fresh: boolean;
}

/** When a list took so long that the server has forgotten its moment, all of it comes once more, in one piece. */
async function* pages<T extends KubernetesObject>(
  from: ResourceClient<T>,
  options: ListOptions,
): AsyncGenerator<PageOfObjects<T>, void, undefined> {
  let limit = options.limit ?? CHUNK;
  let token: string | undefined;
  for (;;) {
    let page: Page<T>;
    try {
      page = await readPage(from, options, { limit, token });
    } catch (error) {
      if (token === undefined || !isExpired(error)) throw error;
      token = undefined;
      limit = 0;
      continue;
    }
    const { resourceVersion = "" } = page.metadata;
    yield { items: page.items ?? [], resourceVersion, fresh: token === undefined };
    token = page.metadata.continue;
    if (token === undefined || token === "") return;
  }
}

async function readPage<T extends KubernetesObject>(
  from: ResourceClient<T>,
  options: ListOptions,
  chunk: { readonly limit: number; readonly token: string | undefined },
): Promise<Page<T>> {
  const { client, resource } = from;
  const page = await client.call<Page<T>>({
    method: "GET",
    path: pathOf(resource, { namespace: options.namespace ?? client.namespace }),
    query: {
      labelSelector: options.labelSelector,
      fieldSelector: options.fieldSelector,
      limit: chunk.limit === 0 ? undefined : chunk.limit,
      continue: chunk.token,
    },
    signal: options.signal,
  });
  // Items of a list don't say what they are; the list does.
  const kind = page.kind.replace(/List$/v, "");
  const items = (page.items ?? []).map((item) => ({ ...item, apiVersion: page.apiVersion, kind }));
  return { ...page, items };
}
