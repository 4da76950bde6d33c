/** Jobs: Pods that are made until enough of them have ended well, or too many have not. */
import { type EventRecorder, isRefusal, type KubernetesObject } from "../../kubernetes/index.ts";
import { type ConditionText, conditionsIn } from "./conditions.ts";
import { BY_OWNER, type ControllerContext } from "./context.ts";
import {
  canonical,
  isDeleting,
  member,
  nameOf,
  numberOf,
  specOf,
  splitKey,
  statusOf,
  timeOf,
  uidOf,
  withStatus,
} from "./objects.ts";
import {
  backOffOf,
  deadlineOf,
  freeIndexes,
  INDEX,
  indexedSpec,
  isIndexed,
  isJobFinished,
  judge,
  type JobView,
  statusFor,
  wantedActive,
} from "./job-plan.ts";
import { PodControl } from "./pod-control.ts";
import { byDispensability, isActive, phaseOf } from "./pods.ts";
import { queueOf } from "./queue-of.ts";
import type { WorkQueue } from "./work-queue.ts";

export function jobs(context: ControllerContext): WorkQueue {
  const own = { resource: "jobs", kind: "Job", possessions: ["pods"] } as const;
  return queueOf(context, own, new JobController(context));
}

class JobController {
  readonly #context: ControllerContext;
  readonly #recorder: EventRecorder;
  readonly #pods: PodControl;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#recorder = context.recorder("job-controller");
    this.#pods = new PodControl(context, this.#recorder);
  }

  async reconcile(key: string): Promise<number | undefined> {
    const { namespace, name } = splitKey(key);
    const job = this.#context.informer("jobs").get(name, namespace);
    if (job === undefined || !this.#pods.isCurrent(key)) return undefined;
    if (isJobFinished(job)) return await this.#expire(job);
    // By owner alone: the selector of a Job names its uid, so that no Pod could fit by chance.
    const { leaving } = this.#context;
    const pods = this.#context.informer("pods").by(BY_OWNER, uidOf(job));
    const view: JobView = {
      job,
      active: pods.filter((pod) => isActive(pod) && !leaving.has(uidOf(pod))),
      succeeded: pods.filter((pod) => phaseOf(pod) === "Succeeded"),
      failed: pods.filter((pod) => phaseOf(pod) === "Failed"),
      now: this.#context.clock.now(),
    };
    const verdict = judge(view);
    if (!isDeleting(job)) await this.#work(view, verdict);
    await this.#report(view, verdict);
    const waits = [deadlineOf(view) ?? 0, backOffOf(view)].filter((wait) => wait > 0);
    return verdict === undefined && waits.length > 0 ? Math.min(...waits) : undefined;
  }

  async #work(view: JobView, verdict: ConditionText | undefined): Promise<void> {
    const { job, active } = view;
    const spec = specOf(job);
    if (verdict !== undefined || spec["suspend"] === true) {
      for (const pod of active) await this.#remove(job, pod);
      return;
    }
    const wanted = wantedActive(view);
    for (const pod of active.toSorted(byDispensability).slice(0, Math.max(0, active.length - wanted))) {
      await this.#remove(job, pod);
    }
    if (backOffOf(view) > 0) return;
    const indexes = isIndexed(job) ? freeIndexes(view) : undefined;
    for (let count = active.length; count < wanted; count++) await this.#create(job, indexes?.shift());
  }

  async #create(job: KubernetesObject, index: number | undefined): Promise<void> {
    const template = member(specOf(job), "template");
    const labels = { "batch.kubernetes.io/job-name": nameOf(job), "job-name": nameOf(job) };
    const uid = { "batch.kubernetes.io/controller-uid": uidOf(job), "controller-uid": uidOf(job) };
    const pod = await this.#pods.create(job, template, {
      metadata: {
        generateName: index === undefined ? `${nameOf(job)}-` : `${nameOf(job)}-${index}-`,
        labels: { ...labels, ...uid, ...(index !== undefined && { [INDEX]: String(index) }) },
        ...(index !== undefined && { annotations: { [INDEX]: String(index) } }),
      },
      ...(index !== undefined && { spec: indexedSpec(job, template, index) }),
    });
    const message = `Created pod: ${nameOf(pod)}`;
    this.#recorder.record(job, { type: "Normal", reason: "SuccessfulCreate", message });
  }

  async #remove(job: KubernetesObject, pod: KubernetesObject): Promise<void> {
    await this.#pods.remove(pod);
    const message = `Deleted pod: ${nameOf(pod)}`;
    this.#recorder.record(job, { type: "Normal", reason: "SuccessfulDelete", message });
  }

  async #report(view: JobView, verdict: ConditionText | undefined): Promise<void> {
    const { job } = view;
    const status = statusFor(view, verdict);
    if (canonical(status) === canonical(statusOf(job))) return;
    await this.#context
      .resource("jobs")
      .updateStatus(withStatus(job, status), { signal: this.#context.signal });
    if (verdict === undefined) return;
    const { reason, message } = verdict;
    const completed = verdict.type === "Complete";
    const text = completed
      ? ({ type: "Normal", reason: "Completed", message: "Job completed" } as const)
      : ({ type: "Warning", reason, message } as const);
    this.#recorder.record(job, text);
  }

  /** A finished Job goes when its time is over, and takes its Pods along. */
  async #expire(job: KubernetesObject): Promise<number | undefined> {
    const ttl = numberOf(specOf(job), "ttlSecondsAfterFinished");
    if (ttl === undefined || isDeleting(job)) return undefined;
    const now = this.#context.clock.now();
    const finished = conditionsIn(statusOf(job)).find(({ type }) => type === "Complete" || type === "Failed");
    const left = (timeOf(finished ?? {}, "lastTransitionTime") ?? now) + ttl * 1000 - now;
    if (left > 0) return left;
    const { namespace } = job.metadata;
    const options = {
      namespace,
      propagationPolicy: "Foreground",
      preconditions: { uid: uidOf(job) },
    } as const;
    try {
      await this.#context.resource("jobs").delete(nameOf(job), { ...options, signal: this.#context.signal });
    } catch (error) {
      if (!isRefusal(error, 404)) throw error;
    }
    return undefined;
  }
}
