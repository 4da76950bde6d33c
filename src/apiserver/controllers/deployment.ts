/**
 * Deployments: a ReplicaSet for each template, and a way from one to the next.
 *
 * ```text
 * template changed ─▶ new ReplicaSet (name-hash, next revision) ─▶ grows by the surge, old ones shrink by what is
 * available ─▶ old ones at 0 are kept as history, which `kubectl rollout undo` goes back to
 * ```
 */
import { type EventRecorder, isRefusal, type KubernetesObject } from "../../kubernetes/index.ts";
import { claim } from "./claim.ts";
import { BY_OWNER, type ControllerContext } from "./context.ts";
import {
  annotationsFor,
  DESIRED,
  findNew,
  newReplicaSet,
  replicasOf,
  REVISION,
  revisionOf,
  scaleAnnotations,
  statusNumber,
} from "./deployment-replica-sets.ts";
import { deadlineIn, deploymentStatus, isComplete } from "./deployment-status.ts";
import {
  canonical,
  controllerOf,
  isControlledBy,
  isDeleting,
  keyOf,
  member,
  nameOf,
  numberOf,
  specOf,
  splitKey,
  statusOf,
  textOf,
  uidOf,
  withStatus,
} from "./objects.ts";
import { isFinished } from "./pods.ts";
import { nextNewSize, proportional, type Resize, shrinkOld, surplusHistory } from "./rolling-update.ts";
import { queueOf } from "./queue-of.ts";
import type { WorkQueue } from "./work-queue.ts";

export function deployments(context: ControllerContext): WorkQueue {
  const own = { resource: "deployments", kind: "Deployment", possessions: ["replicasets"] } as const;
  const queue = queueOf(context, own, new DeploymentController(context));
  // Recreate waits for the last old Pod, which no ReplicaSet counts any more once it is on its way out.
  context.informer("pods").subscribe(({ type, object }) => {
    const { namespace = "" } = object.metadata;
    const owner = type === "deleted" ? controllerOf(object) : undefined;
    const set = owner && context.informer("replicasets").get(owner.name, namespace);
    const deployment = set && controllerOf(set);
    if (deployment?.kind === "Deployment") queue.add(`${namespace}/${deployment.name}`);
  });
  return queue;
}

/** Where a Deployment stands, kept up to date with what is written on the way. */
interface Rollout {
  deployment: KubernetesObject;
  readonly sets: Map<string, KubernetesObject>;
  /** The name of a ReplicaSet that was made just now. */
  created?: string;
}

class DeploymentController {
  readonly #context: ControllerContext;
  readonly #recorder: EventRecorder;
  /** The version last written to a ReplicaSet for each key, until the cache shows it. */
  readonly #written = new Map<string, string>();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#recorder = context.recorder("deployment-controller");
  }

  async reconcile(key: string): Promise<number | undefined> {
    const { namespace, name } = splitKey(key);
    const deployment = this.#context.informer("deployments").get(name, namespace);
    if (deployment === undefined || !this.#isCurrent(key)) return undefined;
    const selector = member(specOf(deployment), "selector");
    const owned = await claim(this.#context, "replicasets", { owner: deployment, selector });
    const rollout: Rollout = { deployment, sets: new Map(owned.map((set) => [nameOf(set), set])) };
    if (!isDeleting(deployment)) await this.#advance(rollout);
    return await this.#report(rollout);
  }

  async #advance(rollout: Rollout): Promise<void> {
    const spec = specOf(rollout.deployment);
    if (spec["paused"] === true || wasResized(rollout)) return await this.#fit(rollout);
    const recreate = textOf(member(spec, "strategy"), "type") === "Recreate";
    if (recreate) {
      const { old } = split(rollout);
      await this.#resize(
        rollout,
        old.map((set) => ({ set, replicas: 0 })),
      );
      if (this.#stillRuns(old)) return;
    }
    const newSet = await this.#ensureNew(rollout);
    if (newSet === undefined) return;
    const { deployment } = rollout;
    const { old } = split(rollout);
    if (recreate) await this.#resize(rollout, [{ set: newSet, replicas: replicasOf(deployment) }]);
    else {
      const size = nextNewSize(deployment, [...old, newSet], replicasOf(newSet));
      if (size !== replicasOf(newSet)) await this.#resize(rollout, [{ set: newSet, replicas: size }]);
      else await this.#resize(rollout, shrinkOld(deployment, newSet, old));
    }
    if (isComplete(deployment, statusOf(deployment))) await this.#forget(deployment, old);
  }

  /** Makes the sizes of what is there right, without going on with a rollout. */
  async #fit(rollout: Rollout): Promise<void> {
    const { deployment } = rollout;
    const { newSet, old } = split(rollout);
    const wanted = replicasOf(deployment);
    const all = newSet === undefined ? old : [newSet, ...old];
    const active = all.filter((set) => replicasOf(set) > 0);
    const [only] = active.length > 0 ? active : all.toSorted((a, b) => revisionOf(b) - revisionOf(a));
    if (only === undefined) return;
    const saturated =
      newSet !== undefined &&
      replicasOf(newSet) === wanted &&
      statusNumber("availableReplicas")(newSet) === wanted;
    const sizes = saturated
      ? active.map((set) => ({ set, replicas: set === newSet ? wanted : 0 }))
      : active.length > 1
        ? proportional(deployment, active)
        : [{ set: only, replicas: wanted }];
    await this.#resize(rollout, sizes, { annotate: true });
  }

  /** The ReplicaSet of the present template, with its revision; made when there is none. */
  async #ensureNew(rollout: Rollout): Promise<KubernetesObject | undefined> {
    const { deployment } = rollout;
    const { newSet: known, old } = split(rollout);
    const revision = Math.max(0, ...old.map((set) => revisionOf(set))) + 1;
    const newSet = known ?? (await this.#create(rollout, old, revision));
    if (newSet === undefined) return undefined;
    const annotations = annotationsFor(deployment, newSet, revision);
    let current = newSet;
    if (canonical(annotations) !== canonical(newSet.metadata.annotations ?? {})) {
      current = await this.#write(rollout, {
        ...newSet,
        metadata: { ...newSet.metadata, annotations },
      });
    }
    await this.#setRevision(rollout, current);
    return current;
  }

  async #create(
    rollout: Rollout,
    old: readonly KubernetesObject[],
    revision: number,
  ): Promise<KubernetesObject | undefined> {
    const { deployment } = rollout;
    const { signal } = this.#context;
    const wanted = newReplicaSet(deployment, { replicas: nextNewSize(deployment, old, 0), revision });
    try {
      const made = await this.#context.resource("replicasets").create(wanted, { signal });
      this.#note(rollout, made);
      rollout.created = nameOf(made);
      if (replicasOf(made) > 0) this.#tellScaled(deployment, made, 0);
      return made;
    } catch (error) {
      if (!isRefusal(error, 409)) throw error;
      await this.#collide(rollout, nameOf(wanted));
      return undefined;
    }
  }

  /** The name is taken: by ours, which the cache will show, or by another template of the same hash. */
  async #collide(rollout: Rollout, name: string): Promise<void> {
    const { deployment } = rollout;
    const { signal } = this.#context;
    const { namespace } = deployment.metadata;
    const other = await this.#context.resource("replicasets").find(name, { namespace, signal });
    if (other === undefined) return;
    if (isControlledBy(other, deployment) && findNew(deployment, [other]) !== undefined) {
      this.#note(rollout, other);
      return;
    }
    const status = statusOf(deployment);
    const collisionCount = (numberOf(status, "collisionCount") ?? 0) + 1;
    rollout.deployment = await this.#context
      .resource("deployments")
      .updateStatus(withStatus(deployment, { ...status, collisionCount }), { signal });
  }

  async #setRevision(rollout: Rollout, newSet: KubernetesObject): Promise<void> {
    const { deployment } = rollout;
    const revision = newSet.metadata.annotations?.[REVISION];
    if (revision === undefined || deployment.metadata.annotations?.[REVISION] === revision) return;
    const { signal } = this.#context;
    const { namespace, resourceVersion } = deployment.metadata;
    // By way of the status, which doesn't count as a change of what is asked for; and with the version, so that a
    // template changed meanwhile isn't taken for the one this revision is of.
    const version = resourceVersion === undefined ? {} : { resourceVersion };
    const body = { metadata: { ...version, annotations: { [REVISION]: revision } } };
    rollout.deployment = await this.#context
      .resource("deployments")
      .patch(nameOf(deployment), { type: "merge", body }, { namespace, subresource: "status", signal });
  }

  async #resize(
    rollout: Rollout,
    sizes: readonly Resize[],
    options: { readonly annotate?: boolean } = {},
  ): Promise<void> {
    const scale = scaleAnnotations(rollout.deployment);
    for (const { set, replicas } of sizes) {
      const annotations = { ...set.metadata.annotations, ...scale };
      const annotated = canonical(annotations) === canonical(set.metadata.annotations ?? {});
      const before = replicasOf(set);
      if (before === replicas && (annotated || options.annotate !== true)) continue;
      const metadata = { ...set.metadata, annotations };
      const written = await this.#write(rollout, { ...set, metadata, spec: { ...specOf(set), replicas } });
      if (before !== replicas) this.#tellScaled(rollout.deployment, written, before);
    }
  }

  #tellScaled(deployment: KubernetesObject, set: KubernetesObject, before: number): void {
    const now = replicasOf(set);
    const direction = now > before ? "up" : "down";
    const message = `Scaled ${direction} replica set ${nameOf(set)} from ${before} to ${now}`;
    this.#recorder.record(deployment, { type: "Normal", reason: "ScalingReplicaSet", message });
  }

  async #forget(deployment: KubernetesObject, old: readonly KubernetesObject[]): Promise<void> {
    const limit = numberOf(specOf(deployment), "revisionHistoryLimit") ?? 10;
    const { signal } = this.#context;
    for (const set of surplusHistory(old, limit)) {
      const { namespace } = set.metadata;
      const preconditions = { uid: uidOf(set) };
      try {
        await this.#context.resource("replicasets").delete(nameOf(set), { namespace, preconditions, signal });
      } catch (error) {
        if (!isRefusal(error, 404)) throw error;
      }
    }
  }

  async #report(rollout: Rollout): Promise<number | undefined> {
    const { clock, signal } = this.#context;
    const { deployment, created } = rollout;
    const now = clock.now();
    const sets = [...rollout.sets.values()];
    const newSet = findNew(deployment, sets);
    const status = deploymentStatus({ deployment, newSet, sets, now, created });
    if (canonical(status) !== canonical(statusOf(deployment))) {
      await this.#context.resource("deployments").updateStatus(withStatus(deployment, status), { signal });
    }
    return deadlineIn(withStatus(deployment, status), now);
  }

  #stillRuns(sets: readonly KubernetesObject[]): boolean {
    const pods = this.#context.informer("pods");
    return sets.some((set) => pods.by(BY_OWNER, uidOf(set)).some((pod) => !isFinished(pod)));
  }

  async #write(rollout: Rollout, set: KubernetesObject): Promise<KubernetesObject> {
    const { signal } = this.#context;
    const written = await this.#context.resource("replicasets").update(set, { signal });
    this.#note(rollout, written);
    return written;
  }

  #note(rollout: Rollout, written: KubernetesObject): void {
    rollout.sets.set(nameOf(written), written);
    this.#written.set(keyOf(rollout.deployment), written.metadata.resourceVersion ?? "");
  }

  #isCurrent(key: string): boolean {
    const version = this.#written.get(key);
    if (version === undefined) return true;
    if (!this.#context.informer("replicasets").reached(version)) return false;
    this.#written.delete(key);
    return true;
  }
}

function split(rollout: Rollout): {
  readonly newSet: KubernetesObject | undefined;
  readonly old: readonly KubernetesObject[];
} {
  const sets = [...rollout.sets.values()];
  const newSet = findNew(rollout.deployment, sets);
  return { newSet, old: sets.filter((set) => set !== newSet) };
}

/** Whether the Deployment was resized since its ReplicaSets were last scaled. */
function wasResized({ deployment, sets }: Rollout): boolean {
  const wanted = replicasOf(deployment);
  return [...sets.values()].some((set) => {
    const desired = set.metadata.annotations?.[DESIRED];
    return replicasOf(set) > 0 && desired !== undefined && Number(desired) !== wanted;
  });
}
