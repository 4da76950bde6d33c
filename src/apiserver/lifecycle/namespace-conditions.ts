import type { JsonObject, KubernetesObject } from "../../kubernetes/index.ts";
import { formatTime } from "../clock.ts";
import type { StoredObject } from "../storage/storage.ts";

interface Finding {
  readonly type: string;
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
}

/** The namespace, saying in its status what it still waits for; the very one given where it says so already. */
export function withDeletionConditions(
  namespace: KubernetesObject,
  left: readonly StoredObject[],
  now: number,
): KubernetesObject {
  const status = (namespace["status"] ?? {}) as { readonly conditions?: readonly JsonObject[] };
  const before = status.conditions ?? [];
  const found = findings(left);
  const conditions = found.map((one): JsonObject => {
    const old = before.find((other) => other["type"] === one.type);
    const kept = old?.["status"] === one.status ? old["lastTransitionTime"] : undefined;
    const { type, status: state, reason, message } = one;
    return { type, status: state, lastTransitionTime: kept ?? formatTime(now), reason, message };
  });
  if (JSON.stringify(before) === JSON.stringify(conditions)) return namespace;
  return { ...namespace, status: { ...status, conditions } as JsonObject };
}

function findings(left: readonly StoredObject[]): readonly Finding[] {
  const resources = count(
    left.map(({ key }) => (key.resource.includes(".") ? key.resource : `${key.resource}.`)),
  );
  const finalizers = count(left.flatMap(({ object }) => object.metadata.finalizers ?? []));
  return [
    {
      type: "NamespaceDeletionDiscoveryFailure",
      status: "False",
      reason: "ResourcesDiscovered",
      message: "All resources successfully discovered",
    },
    {
      type: "NamespaceDeletionGroupVersionParsingFailure",
      status: "False",
      reason: "ParsedGroupVersions",
      message: "All legacy kube types successfully parsed",
    },
    {
      type: "NamespaceDeletionContentFailure",
      status: "False",
      reason: "ContentDeleted",
      message: "All content successfully deleted, may be waiting on finalization",
    },
    remaining("NamespaceContentRemaining", resources, {
      some: ["SomeResourcesRemain", "Some resources are remaining: ", " has "],
      none: ["ContentRemoved", "All content successfully removed"],
    }),
    remaining("NamespaceFinalizersRemaining", finalizers, {
      some: ["SomeFinalizersRemain", "Some content in the namespace has finalizers remaining: ", " in "],
      none: ["ContentHasNoFinalizers", "All content-preserving finalizers finished"],
    }),
  ];
}

function remaining(
  type: string,
  counts: readonly (readonly [string, number])[],
  words: {
    readonly some: readonly [reason: string, start: string, verb: string];
    readonly none: readonly [reason: string, message: string];
  },
): Finding {
  if (counts.length === 0) return { type, status: "False", reason: words.none[0], message: words.none[1] };
  const [reason, start, verb] = words.some;
  const list = counts.map(([name, number]) => `${name}${verb}${number} resource instances`).join(", ");
  return { type, status: "True", reason, message: `${start}${list}` };
}

function count(names: readonly string[]): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].toSorted(([one], [other]) => (one < other ? -1 : 1));
}
