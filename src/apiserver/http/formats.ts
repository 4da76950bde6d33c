/** Objects, lists and events in the shape a client asked for. */
import {
  type ApiResource,
  badRequest,
  formatApiVersion,
  type JsonObject,
  type KubernetesObject,
} from "../../kubernetes/index.ts";
import { stripKind } from "../storage/encode-object.ts";
import { toTable, type TableOptions } from "../tables/table.ts";
import type { Listed } from "../verbs/list.ts";
import { presentStored, type Presented } from "../verbs/present.ts";
import type { WatchFormat } from "../verbs/watch.ts";
import type { AnswerShape } from "./accept.ts";

export interface FormatOptions {
  readonly resource: ApiResource;
  readonly shape: AnswerShape;
  readonly query: URLSearchParams;
  readonly now: () => number;
}

/** One object. */
export function formatObject(it: Presented, options: FormatOptions): string {
  const { shape } = options;
  if (shape.as === "Object") return it.text;
  if (shape.as === "PartialObjectMetadata") return JSON.stringify(toPartial(it.object));
  const { resourceVersion } = it.object.metadata;
  return JSON.stringify(
    toTable(options.resource, [it.object], {
      ...tableOptions(options),
      ...(resourceVersion !== undefined && { metadata: { resourceVersion } }),
    }),
  );
}

/** A list; where nobody asks for less, the texts are put together as they were stored. */
export function formatList(listed: Listed, options: FormatOptions): string {
  const { resource, shape } = options;
  const { metadata } = listed;
  if (shape.as === "Table") {
    const objects = listed.items.map((one) => presentStored(resource, one).object);
    return JSON.stringify(toTable(resource, objects, { ...tableOptions(options), metadata }));
  }
  if (shape.as === "PartialObjectMetadata") {
    const items = listed.items.map((one) => toPartial(one.object));
    return JSON.stringify({
      kind: "PartialObjectMetadataList",
      apiVersion: "meta.k8s.io/v1",
      metadata,
      items,
    });
  }
  const head = JSON.stringify({
    kind: `${resource.kind}List`,
    apiVersion: formatApiVersion(resource),
    metadata,
  });
  const of = { kind: resource.kind, apiVersion: formatApiVersion(resource) };
  const items = listed.items.map((one) => stripKind(presentStored(resource, one).text, of));
  return `${head.slice(0, -1)},"items":[${items.join(",")}]}`;
}

/** How one watch writes its events. */
export function watchFormat(options: FormatOptions): WatchFormat {
  const { resource, shape } = options;
  const asObject = (object: KubernetesObject): JsonObject =>
    shape.as === "Object" ? object : toPartial(object);
  return shape.as === "Table"
    ? tableFormat(options)
    : {
        key: `${resource.group} ${shape.as}`,
        encode: (type, stored) => line(type, formatObject(presentStored(resource, stored), options)),
        bookmark: (revision, end) => {
          const metadata = bookmarkMetadata(revision, end);
          const object = { kind: resource.kind, apiVersion: formatApiVersion(resource), metadata };
          return line("BOOKMARK", JSON.stringify(asObject(object)));
        },
        failure: (error) => line("ERROR", JSON.stringify(error.status)),
      };
}

/** The first event tells the columns, and ages pass: no two clients get the same. */
function tableFormat(options: FormatOptions): WatchFormat {
  const { resource } = options;
  const base = tableOptions(options);
  let withColumns = true;
  const table = (objects: readonly KubernetesObject[], metadata: JsonObject): string => {
    const it = { ...base, now: options.now(), metadata, withColumns };
    withColumns = false;
    return JSON.stringify(toTable(resource, objects, it));
  };
  return {
    key: undefined,
    encode: (type, stored) => {
      const { object } = presentStored(resource, stored);
      return line(type, table([object], { resourceVersion: String(stored.revision) }));
    },
    bookmark: (revision, end) => line("BOOKMARK", table([], bookmarkMetadata(revision, end))),
    failure: (error) => line("ERROR", JSON.stringify(error.status)),
  };
}

function bookmarkMetadata(revision: number, initialEventsEnd: boolean): JsonObject {
  const annotations = { "k8s.io/initial-events-end": "true" };
  return { resourceVersion: String(revision), ...(initialEventsEnd && { annotations }) };
}

export function toPartial(object: KubernetesObject): JsonObject {
  return { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: object.metadata };
}

function line(type: string, object: string): string {
  return `{"type":"${type}","object":${object}}\n`;
}

function tableOptions({ query, now }: FormatOptions): TableOptions {
  const include = query.get("includeObject") ?? "Metadata";
  if (include !== "Metadata" && include !== "Object" && include !== "None") {
    throw badRequest(`unrecognized includeObject value: "${include}"`);
  }
  return { includeObject: include, now: now() };
}
