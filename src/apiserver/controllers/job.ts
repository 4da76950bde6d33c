/** Jobs: Pods that are made until enough of them have ended well, or too many have not. */
import {
  type EventRecorder,
  formatTime,
  isRefusal,
  type JsonObject,
  type KubernetesObject,
} from "../../kubernetes/index.ts";
import { type ConditionText, conditionsIn, setCondition } from "./conditions.ts";
import { BY_OWNER, type ControllerContext, onChange } from "./context.ts";
import {
  canonical,
  isDeleting,
  listOf,
  member,
  nameOf,
  numberOf,
  specOf,
  splitKey,
  statusOf,
  textOf,
  timeOf,
  uidOf,
  withStatus,
} from "./objects.ts";
import { PodControl } from "./pod-control.ts";
import { byDispensability, isActive, isReady, phaseOf } from "./pods.ts";
import { WorkQueue } from "./work-queue.ts";

const INDEX = "batch.kubernetes.io/job-completion-index";

export function jobs(context: ControllerContext): WorkQueue {
  const controller = new JobController(context);
  const { clock, onError } = context;
  const queue = new WorkQueue({ clock, onError, reconcile: (key) => controller.reconcile(key) });
  onChange(
    context,
    { resource: "jobs", kind: "Job" },
    { possessions: ["pods"], add: (key) => queue.add(key) },
  );
  return queue;
}

export function isJobFinished(job: KubernetesObject): boolean {
  return conditionsIn(statusOf(job)).some(
    ({ type, status }) => (type === "Complete" || type === "Failed") && status === "True",
  );
}

interface View {
  readonly job: KubernetesObject;
  readonly active: readonly KubernetesObject[];
  readonly succeeded: readonly KubernetesObject[];
  readonly failed: readonly KubernetesObject[];
  readonly now: number;
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
    const view: View = {
      job,
      active: pods.filter((pod) => isActive(pod) && !leaving.has(uidOf(pod))),
      succeeded: pods.filter((pod) => phaseOf(pod) === "Succeeded"),
      failed: pods.filter((pod) => phaseOf(pod) === "Failed"),
      now: this.#context.clock.now(),
    };
    const verdict = judge(view);
    if (!isDeleting(job)) await this.#work(view, verdict);
    await this.#report(view, verdict);
    return verdict === undefined ? deadlineOf(view) : undefined;
  }

  async #work(view: View, verdict: ConditionText | undefined): Promise<void> {
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

  async #report(view: View, verdict: ConditionText | undefined): Promise<void> {
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

/** Whether a Job has come to its end, and which. */
function judge(view: View): ConditionText | undefined {
  const spec = specOf(view.job);
  const completions = numberOf(spec, "completions");
  const { succeeded, failed, active } = view;
  const done = isIndexed(view.job) ? doneIndexes(view).size : succeeded.length;
  // Without a number, one that ended well ends the Job, once the others have come to an end, too.
  const complete = completions === undefined ? done > 0 && active.length === 0 : done >= completions;
  if (complete) {
    const message = "Reached expected number of succeeded pods";
    return { type: "Complete", status: "True", reason: "CompletionsReached", message };
  }
  if (failed.length > (numberOf(spec, "backoffLimit") ?? 6)) {
    const message = "Job has reached the specified backoff limit";
    return { type: "Failed", status: "True", reason: "BackoffLimitExceeded", message };
  }
  if ((deadlineOf(view) ?? 1) <= 0) {
    const message = "Job was active longer than specified deadline";
    return { type: "Failed", status: "True", reason: "DeadlineExceeded", message };
  }
  return undefined;
}

/** Milliseconds that a Job may still run. */
function deadlineOf(view: View): number | undefined {
  const seconds = numberOf(specOf(view.job), "activeDeadlineSeconds");
  const started = timeOf(statusOf(view.job), "startTime");
  if (seconds === undefined || started === undefined || specOf(view.job)["suspend"] === true)
    return undefined;
  return started + seconds * 1000 - view.now;
}

function wantedActive(view: View): number {
  const spec = specOf(view.job);
  const parallelism = numberOf(spec, "parallelism") ?? 1;
  const completions = numberOf(spec, "completions");
  if (completions === undefined) {
    return view.succeeded.length > 0 ? Math.min(parallelism, view.active.length) : parallelism;
  }
  const done = isIndexed(view.job) ? doneIndexes(view).size : view.succeeded.length;
  return Math.max(0, Math.min(parallelism, completions - done));
}

function statusFor(view: View, verdict: ConditionText | undefined): JsonObject {
  const { job, now } = view;
  const old = statusOf(job);
  const suspended = specOf(job)["suspend"] === true;
  let conditions = conditionsIn(old);
  if (verdict !== undefined) {
    const early = verdict.type === "Complete" ? "SuccessCriteriaMet" : "FailureTarget";
    conditions = setCondition(conditions, { ...verdict, type: early }, { now });
    conditions = setCondition(conditions, verdict, { now });
  } else if (suspended) {
    const text = {
      type: "Suspended",
      status: "True",
      reason: "JobSuspended",
      message: "Job suspended",
    } as const;
    conditions = setCondition(conditions, text, { now });
  } else if (conditions.some(({ type }) => type === "Suspended")) {
    const text = {
      type: "Suspended",
      status: "False",
      reason: "JobResumed",
      message: "Job resumed",
    } as const;
    conditions = setCondition(conditions, text, { now });
  }
  const ended = verdict !== undefined;
  const active = ended || suspended ? [] : view.active;
  const indexes = isIndexed(job) ? formatIndexes(doneIndexes(view)) : "";
  return {
    ...(conditions.length > 0 && { conditions }),
    ...(!suspended && { startTime: textOf(old, "startTime") ?? formatTime(now) }),
    ...(verdict?.type === "Complete" && { completionTime: formatTime(now) }),
    ...(active.length > 0 && { active: active.length }),
    ...(view.succeeded.length > 0 && { succeeded: view.succeeded.length }),
    ...(view.failed.length > 0 && { failed: view.failed.length }),
    ...(indexes !== "" && { completedIndexes: indexes }),
    uncountedTerminatedPods: {},
    ready: active.filter((pod) => isReady(pod)).length,
    terminating: 0,
  };
}

function isIndexed(job: KubernetesObject): boolean {
  return textOf(specOf(job), "completionMode") === "Indexed";
}

function indexOf(pod: KubernetesObject): number {
  return Number(pod.metadata.annotations?.[INDEX] ?? Number.NaN);
}

function doneIndexes(view: View): ReadonlySet<number> {
  const completions = numberOf(specOf(view.job), "completions") ?? 0;
  const indexes = view.succeeded.map((pod) => indexOf(pod)).filter((index) => index < completions);
  return new Set(indexes);
}

function freeIndexes(view: View): number[] {
  const taken = new Set([...doneIndexes(view), ...view.active.map((pod) => indexOf(pod))]);
  const completions = numberOf(specOf(view.job), "completions") ?? 0;
  return Array.from({ length: completions }, (_, index) => index).filter((index) => !taken.has(index));
}

/** `0,2-4` */
function formatIndexes(indexes: ReadonlySet<number>): string {
  const runs: [first: number, last: number][] = [];
  for (const index of [...indexes].toSorted((a, b) => a - b)) {
    const run = runs.at(-1);
    if (run !== undefined && run[1] === index - 1) run[1] = index;
    else runs.push([index, index]);
  }
  return runs.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(",");
}

/** Every container learns which part of the work is its own. */
function indexedSpec(job: KubernetesObject, template: JsonObject, index: number): JsonObject {
  const spec = member(template, "spec");
  const variable = { name: "JOB_COMPLETION_INDEX", value: String(index) };
  const inform = (container: JsonObject): JsonObject => {
    const env = listOf(container, "env");
    return env.some(({ name }) => name === variable.name)
      ? container
      : { ...container, env: [...env, variable] };
  };
  return {
    hostname: `${nameOf(job)}-${index}`,
    containers: listOf(spec, "containers").map(inform),
    ...(spec["initContainers"] !== undefined && {
      initContainers: listOf(spec, "initContainers").map(inform),
    }),
  };
}
