/** What a Job needs next, and what it says about itself: decided from what is there, without effects. */
import { formatTime, type JsonObject, type KubernetesObject } from "../../kubernetes/index.ts";
import { type ConditionText, conditionsIn, setCondition } from "./conditions.ts";
import { listOf, member, nameOf, numberOf, specOf, statusOf, textOf, timeOf } from "./objects.ts";
import { isReady } from "./pods.ts";

const FIRST_BACK_OFF = 10_000;
const MAX_BACK_OFF = 600_000;
export const INDEX = "batch.kubernetes.io/job-completion-index";

/** A Job and its Pods at a moment. */
export interface JobView {
  readonly job: KubernetesObject;
  readonly active: readonly KubernetesObject[];
  readonly succeeded: readonly KubernetesObject[];
  readonly failed: readonly KubernetesObject[];
  readonly now: number;
}

export function isJobFinished(job: KubernetesObject): boolean {
  return conditionsIn(statusOf(job)).some(
    ({ type, status }) => (type === "Complete" || type === "Failed") && status === "True",
  );
}

/** Whether a Job has come to its end, and which. */
export function judge(view: JobView): ConditionText | undefined {
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

/** Milliseconds until a Pod may take the place of one that failed: longer each time, until one ends well. */
export function backOffOf(view: JobView): number {
  const lastSuccess = Math.max(0, ...view.succeeded.map((pod) => endOf(pod)));
  const failures = view.failed.map((pod) => endOf(pod)).filter((time) => time > lastSuccess);
  if (failures.length === 0) return 0;
  const delay = Math.min(MAX_BACK_OFF, FIRST_BACK_OFF * 2 ** (failures.length - 1));
  return Math.max(...failures) + delay - view.now;
}

/** When the last container of a Pod ended; what is known instead where none says so. */
function endOf(pod: KubernetesObject): number {
  const ends = listOf(statusOf(pod), "containerStatuses").map((status) =>
    timeOf(member(member(status, "state"), "terminated"), "finishedAt"),
  );
  const changes = conditionsIn(statusOf(pod)).map((condition) => timeOf(condition, "lastTransitionTime"));
  const known = ends.some((time) => time !== undefined) ? ends : changes;
  return Math.max(
    timeOf(pod.metadata, "creationTimestamp") ?? 0,
    ...known.filter((time) => time !== undefined),
  );
}

/** Milliseconds that a Job may still run. */
export function deadlineOf(view: JobView): number | undefined {
  const seconds = numberOf(specOf(view.job), "activeDeadlineSeconds");
  const started = timeOf(statusOf(view.job), "startTime");
  if (seconds === undefined || started === undefined || specOf(view.job)["suspend"] === true)
    return undefined;
  return started + seconds * 1000 - view.now;
}

export function wantedActive(view: JobView): number {
  const spec = specOf(view.job);
  const parallelism = numberOf(spec, "parallelism") ?? 1;
  const completions = numberOf(spec, "completions");
  if (completions === undefined) {
    return view.succeeded.length > 0 ? Math.min(parallelism, view.active.length) : parallelism;
  }
  const done = isIndexed(view.job) ? doneIndexes(view).size : view.succeeded.length;
  return Math.max(0, Math.min(parallelism, completions - done));
}

export function statusFor(view: JobView, verdict: ConditionText | undefined): JsonObject {
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

export function isIndexed(job: KubernetesObject): boolean {
  return textOf(specOf(job), "completionMode") === "Indexed";
}

function indexOf(pod: KubernetesObject): number {
  return Number(pod.metadata.annotations?.[INDEX] ?? Number.NaN);
}

function doneIndexes(view: JobView): ReadonlySet<number> {
  const completions = numberOf(specOf(view.job), "completions") ?? 0;
  const indexes = view.succeeded.map((pod) => indexOf(pod)).filter((index) => index < completions);
  return new Set(indexes);
}

export function freeIndexes(view: JobView): number[] {
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
export function indexedSpec(job: KubernetesObject, template: JsonObject, index: number): JsonObject {
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
