/**
 * What DaemonSets and StatefulSets were, so that `kubectl rollout` can tell their history and go back in it: one
 * ControllerRevision for each template a set has had, named after it. The highest number is the present one's; who goes
 * back to an earlier template finds its revision there, with a new number.
 */
import { isRefusal, type JsonObject, type KubernetesObject } from "../../kubernetes/index.ts";
import { BY_OWNER, type ControllerContext } from "./context.ts";
import { isControlledBy, member, nameOf, numberOf, ownerReference, specOf, uidOf } from "./objects.ts";

export interface RevisionOf {
  readonly set: KubernetesObject;
  /** Of its template. */
  readonly hash: string;
  /** What the revision is found by, beside the labels of the template. */
  readonly labels: Readonly<Record<string, string>>;
}

/** Sees to it that the present template has its revision, and that it's the latest. */
export async function keepRevision(context: ControllerContext, of: RevisionOf): Promise<void> {
  const { set, hash } = of;
  const owned = context.informer("controllerrevisions").by(BY_OWNER, uidOf(set));
  const name = revisionName(set, hash);
  const latest = Math.max(0, ...owned.map((one) => numberOf(one, "revision") ?? 0));
  const present = owned.find((one) => nameOf(one) === name);
  if (present === undefined) return await createRevision(context, { ...of, number: latest + 1 });
  const number = numberOf(present, "revision") ?? 0;
  if (number === latest && owned.every((one) => one === present || numberOf(one, "revision") !== number)) {
    return;
  }
  const { uid, resourceVersion, namespace } = present.metadata;
  const body: JsonObject = {
    metadata: {
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
    },
    revision: latest + 1,
  };
  const { signal } = context;
  await context.resource("controllerrevisions").patch(name, { type: "merge", body }, { namespace, signal });
}

/** The oldest ones of which there are too many, and by which no Pod was made, go. */
export async function forgetRevisions(
  context: ControllerContext,
  by: { readonly set: KubernetesObject; readonly isLive: (revision: KubernetesObject) => boolean },
): Promise<void> {
  const { set, isLive } = by;
  const limit = numberOf(specOf(set), "revisionHistoryLimit") ?? DEFAULT_LIMIT;
  const dead = context
    .informer("controllerrevisions")
    .by(BY_OWNER, uidOf(set))
    .filter((one) => !isLive(one))
    .toSorted((a, b) => (numberOf(a, "revision") ?? 0) - (numberOf(b, "revision") ?? 0));
  for (const one of dead.slice(0, Math.max(0, dead.length - limit))) {
    const { namespace, uid = "" } = one.metadata;
    const { signal } = context;
    try {
      await context
        .resource("controllerrevisions")
        .delete(nameOf(one), { namespace, preconditions: { uid }, signal });
    } catch (error) {
      if (!isRefusal(error, 404) && !isRefusal(error, 409)) throw error;
    }
  }
}

export function revisionName(set: KubernetesObject, hash: string): string {
  return `${nameOf(set)}-${hash}`;
}

const DEFAULT_LIMIT = 10;

async function createRevision(
  context: ControllerContext,
  { set, hash, labels, number }: RevisionOf & { readonly number: number },
): Promise<void> {
  const { namespace = "", annotations } = set.metadata;
  const template = member(specOf(set), "template");
  const name = revisionName(set, hash);
  const { signal } = context;
  const client = context.resource("controllerrevisions");
  try {
    await client.create(
      {
        apiVersion: "apps/v1",
        kind: "ControllerRevision",
        metadata: {
          name,
          namespace,
          labels: { ...member(member(template, "metadata"), "labels"), ...labels } as Record<string, string>,
          ...(annotations !== undefined && { annotations }),
          ownerReferences: [ownerReference(set)],
        },
        // What kubectl sends as a patch to go back.
        data: { spec: { template: { ...template, $patch: "replace" } } },
        revision: number,
      },
      { namespace, signal },
    );
  } catch (error) {
    // Made a moment ago, and not seen yet.
    const there = isRefusal(error, 409) && isControlledBy(await client.get(name, { namespace, signal }), set);
    if (!there) throw error;
  }
}
