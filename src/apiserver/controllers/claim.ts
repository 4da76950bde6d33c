import {
  type JsonObject,
  type KubernetesObject,
  matchesLabels,
  type OwnerReference,
} from "../../kubernetes/index.ts";
import { BY_OWNER, type ControllerContext, type WatchedResource } from "./context.ts";
import { readSelector } from "./label-selector.ts";
import { controllerOf, isDeleting, nameOf, ownerReference, uidOf } from "./objects.ts";

/**
 * What belongs to an owner: what fits its selector and belongs to nobody is adopted, what no longer fits is let go.
 * Where somebody else was quicker, the call fails with a conflict.
 */
export async function claim(
  context: ControllerContext,
  resource: WatchedResource,
  by: { readonly owner: KubernetesObject; readonly selector: JsonObject },
): Promise<readonly KubernetesObject[]> {
  const { owner } = by;
  const selector = readSelector(by.selector);
  const { namespace = "" } = owner.metadata;
  const informer = context.informer(resource);
  const fits = ({ metadata }: KubernetesObject): boolean => matchesLabels(selector, metadata.labels);
  const setOwners = async (
    object: KubernetesObject,
    ownerReferences: readonly OwnerReference[],
  ): Promise<KubernetesObject> => {
    const { resourceVersion, uid } = object.metadata;
    const metadata: JsonObject = {
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
      ownerReferences,
    };
    const patch = { type: "merge", body: { metadata } } as const;
    const { signal } = context;
    return await context.resource(resource).patch(nameOf(object), patch, { namespace, signal });
  };
  const owned: KubernetesObject[] = [];
  for (const object of informer.by(BY_OWNER, uidOf(owner))) {
    if (object.metadata.namespace !== namespace) continue;
    if (fits(object) || isDeleting(object) || isDeleting(owner)) owned.push(object);
    else {
      const others = (object.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== uidOf(owner));
      await setOwners(object, others);
    }
  }
  if (isDeleting(owner)) return owned;
  for (const object of informer.list(namespace)) {
    if (controllerOf(object) !== undefined || isDeleting(object) || !fits(object)) continue;
    owned.push(await setOwners(object, [...(object.metadata.ownerReferences ?? []), ownerReference(owner)]));
  }
  return owned;
}
