/** What is there before anybody asked: the first namespaces, and in each namespace its first account. */
import type { KubernetesObject, Metadata } from "../../kubernetes/index.ts";
import { formatTime } from "../clock.ts";
import { isConflict } from "../storage/errors.ts";
import type { ApiStorage, ObjectKey } from "../storage/storage.ts";

export interface FurnishContext {
  readonly storage: ApiStorage;
  readonly now: () => number;
  readonly newUid: () => string;
}

const FIRST_NAMESPACES = ["default", "kube-system", "kube-public", "kube-node-lease"];

/** At the first start; and at every other, what somebody took away or had no time to put there. */
export async function furnishCluster(context: FurnishContext): Promise<void> {
  await Promise.all(FIRST_NAMESPACES.map((name) => makeNamespace(context, name)));
  const { items } = await context.storage.list({ resource: "namespaces" });
  const active = items.filter((one) => one.object.metadata.deletionTimestamp === undefined);
  await Promise.all(active.map((one) => furnishNamespace(context, one.key.name)));
}

async function makeNamespace(context: FurnishContext, name: string): Promise<void> {
  await createMissing(context, { resource: "namespaces", namespace: "", name }, (metadata) => ({
    kind: "Namespace",
    apiVersion: "v1",
    metadata: { ...metadata, labels: { "kubernetes.io/metadata.name": name } },
    spec: { finalizers: ["kubernetes"] },
    status: { phase: "Active" },
  }));
}

/** Pods without an account of their own run as `default`; without it, none could be made. */
export const DEFAULT_ACCOUNT = "default";

export async function furnishNamespace(context: FurnishContext, name: string): Promise<void> {
  const key: ObjectKey = { resource: "serviceaccounts", namespace: name, name: DEFAULT_ACCOUNT };
  await createMissing(context, key, (metadata) => ({
    kind: "ServiceAccount",
    apiVersion: "v1",
    metadata: { ...metadata, namespace: name },
  }));
}

async function createMissing(
  { storage, now, newUid }: FurnishContext,
  key: ObjectKey,
  make: (metadata: Metadata) => KubernetesObject,
): Promise<void> {
  if ((await storage.find(key)) !== undefined) return;
  const object = make({ name: key.name, uid: newUid(), creationTimestamp: formatTime(now()) });
  await storage.write({ key, expected: 0, object }).catch((error: unknown) => {
    if (!isConflict(error)) throw error;
  });
}
