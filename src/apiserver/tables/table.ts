/** Objects as a table, for clients that show them rather than read them. */
import type { ApiResource, JsonObject, KubernetesObject } from "../../kubernetes/index.ts";
import { layoutOf } from "./columns.ts";
import { object } from "./read.ts";

export interface TableOptions {
  /** What of each object stands beside its row; `Metadata` unless the client asks otherwise. */
  readonly includeObject: "Metadata" | "Object" | "None";
  /** Milliseconds since 1970; ages are told from here. */
  readonly now: number;
  /** That of the list: resourceVersion, continue, remainingItemCount. */
  readonly metadata?: JsonObject;
  /** False for all events of a watch but the first, which tells the columns. */
  readonly withColumns?: boolean;
}

/** `kind: Table` of `meta.k8s.io/v1`. */
export function toTable(
  resource: Pick<ApiResource, "kind">,
  objects: readonly KubernetesObject[],
  options: TableOptions,
): JsonObject {
  // Subresources may be of another kind than what they are part of.
  const { columns, cells } = layoutOf(objects[0]?.kind ?? resource.kind);
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata: options.metadata ?? {},
    columnDefinitions: options.withColumns === false ? null : columns.map((column) => ({ ...column })),
    rows: objects.map((one) => ({
      cells: cells(one, options.now),
      ...rowConditions(one),
      ...rowObject(one, options.includeObject),
    })),
  };
}

function rowObject(it: KubernetesObject, include: TableOptions["includeObject"]): JsonObject {
  if (include === "None") return { object: null };
  if (include === "Object") return { object: it };
  const metadata = it.metadata;
  return { object: { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata } };
}

/** Marks Pods that have ended, so that clients may show them apart. */
function rowConditions(it: KubernetesObject): JsonObject {
  if (it.kind !== "Pod") return {};
  const phase = object(it["status"])["phase"];
  if (phase !== "Succeeded" && phase !== "Failed") return {};
  const message = phase === "Succeeded" ? "The pod has completed successfully." : "The pod failed.";
  return { conditions: [{ type: "Completed", status: "True", reason: phase, message }] };
}
