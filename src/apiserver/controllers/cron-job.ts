/** CronJobs: a Job whenever it is time, as long as the ones before allow it. */
import {
  type EventRecorder,
  formatTime,
  isRefusal,
  type JsonObject,
  type KubernetesObject,
  referenceTo,
} from "../../kubernetes/index.ts";
import { conditionsIn } from "./conditions.ts";
import { BY_OWNER, type ControllerContext } from "./context.ts";
import { type CronSchedule, parseCronSchedule } from "./cron-schedule.ts";
import { isJobFinished } from "./job-plan.ts";
import {
  byAge,
  canonical,
  isDeleting,
  member,
  nameOf,
  numberOf,
  ownerReference,
  specOf,
  splitKey,
  statusOf,
  textOf,
  timeOf,
  uidOf,
  withStatus,
} from "./objects.ts";
import { queueOf } from "./queue-of.ts";
import type { WorkQueue } from "./work-queue.ts";

const SCHEDULED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp";
/** More missed times than this mean that clocks jumped; then only the last one counts, and a warning is written. */
const MANY_MISSED = 100;

export function cronJobs(context: ControllerContext): WorkQueue {
  const own = { resource: "cronjobs", kind: "CronJob", possessions: ["jobs"] } as const;
  return queueOf(context, own, new CronJobController(context));
}

class CronJobController {
  readonly #context: ControllerContext;
  readonly #recorder: EventRecorder;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#recorder = context.recorder("cronjob-controller");
  }

  async reconcile(key: string): Promise<number | undefined> {
    const { namespace, name } = splitKey(key);
    const cron = this.#context.informer("cronjobs").get(name, namespace);
    if (cron === undefined || isDeleting(cron)) return undefined;
    const jobs = this.#context.informer("jobs").by(BY_OWNER, uidOf(cron));
    await this.#tidy(cron, jobs);
    const started = await this.#start(cron, jobs);
    await this.#report(cron, jobs, started);
    return started.again;
  }

  async #start(cron: KubernetesObject, jobs: readonly KubernetesObject[]): Promise<Started> {
    const spec = specOf(cron);
    const now = this.#context.clock.now();
    let schedule: CronSchedule;
    try {
      schedule = parseCronSchedule(textOf(spec, "schedule") ?? "", textOf(spec, "timeZone"));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#warn(cron, "UnparseableSchedule", `unparseable schedule: ${error.message}`);
      return {};
    }
    const following = schedule.next(now);
    const again = following === undefined ? {} : { again: following - now };
    if (spec["suspend"] === true) return {};
    const due = this.#due(cron, schedule, now);
    if (due === undefined) return again;
    const deadline = numberOf(spec, "startingDeadlineSeconds");
    if (deadline !== undefined && due + deadline * 1000 < now) {
      this.#warn(cron, "MissSchedule", `Missed scheduled time to start a job: ${formatTime(due)}`);
      return again;
    }
    const active = jobs.filter((job) => !isJobFinished(job) && !isDeleting(job));
    const jobName = `${nameOf(cron)}-${Math.floor(due / 60_000)}`;
    if (jobs.some((job) => nameOf(job) === jobName)) return { ...again, due };
    const policy = textOf(spec, "concurrencyPolicy");
    if (policy === "Forbid" && active.length > 0) {
      const message = "Not starting job because prior execution is running and concurrency policy is Forbid";
      this.#recorder.record(cron, { type: "Normal", reason: "JobAlreadyActive", message });
      return again;
    }
    if (policy === "Replace") for (const job of active) await this.#remove(cron, job);
    const job = await this.#create(cron, jobName, due);
    return { ...again, due, ...(job && { job }) };
  }

  /** The last moment that is due and hasn't been served. */
  #due(cron: KubernetesObject, schedule: CronSchedule, now: number): number | undefined {
    const created = timeOf(cron.metadata, "creationTimestamp") ?? now;
    const last = timeOf(statusOf(cron), "lastScheduleTime") ?? created;
    const deadline = numberOf(specOf(cron), "startingDeadlineSeconds");
    const from = deadline === undefined ? last : Math.max(last, now - deadline * 1000);
    const first = schedule.next(from);
    if (first === undefined || first > now) return undefined;
    // Looking back over the last while is enough; counting minutes of a year off would take long.
    let due = first;
    let missed = 0;
    for (let next = schedule.next(due); next !== undefined && next <= now; next = schedule.next(due)) {
      due = next;
      if (++missed !== MANY_MISSED) continue;
      const message =
        "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
      this.#warn(cron, "TooManyMissedTimes", message);
      return lastBefore(schedule, due, now);
    }
    return due;
  }

  async #create(cron: KubernetesObject, name: string, due: number): Promise<KubernetesObject | undefined> {
    const template = member(specOf(cron), "jobTemplate");
    const metadata = member(template, "metadata");
    const { namespace = "" } = cron.metadata;
    const { signal } = this.#context;
    const job: KubernetesObject = {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: {
        name,
        namespace,
        ...(metadata["labels"] !== undefined && {
          labels: member(metadata, "labels") as Record<string, string>,
        }),
        annotations: {
          ...(member(metadata, "annotations") as Record<string, string>),
          [SCHEDULED_AT]: formatTime(due),
        },
        ownerReferences: [ownerReference(cron)],
      },
      spec: member(template, "spec"),
    };
    try {
      const made = await this.#context.resource("jobs").create(job, { namespace, signal });
      const message = `Created job ${name}`;
      this.#recorder.record(cron, { type: "Normal", reason: "SuccessfulCreate", message });
      return made;
    } catch (error) {
      // Made before, and our cache doesn't show it yet: the name says for which time.
      if (isRefusal(error, 409)) return undefined;
      this.#warn(
        cron,
        "FailedCreate",
        `Error creating job: ${error instanceof Error ? error.message : "unknown"}`,
      );
      throw error;
    }
  }

  async #remove(cron: KubernetesObject, job: KubernetesObject): Promise<void> {
    const { namespace } = job.metadata;
    const { signal } = this.#context;
    const options = {
      namespace,
      propagationPolicy: "Background",
      preconditions: { uid: uidOf(job) },
    } as const;
    try {
      await this.#context.resource("jobs").delete(nameOf(job), { ...options, signal });
      const message = `Deleted job ${nameOf(job)}`;
      this.#recorder.record(cron, { type: "Normal", reason: "SuccessfulDelete", message });
    } catch (error) {
      if (!isRefusal(error, 404) && !isRefusal(error, 409)) throw error;
    }
  }

  /** Finished Jobs beyond what the history keeps. */
  async #tidy(cron: KubernetesObject, jobs: readonly KubernetesObject[]): Promise<void> {
    const spec = specOf(cron);
    const limits = [
      { type: "Complete", limit: numberOf(spec, "successfulJobsHistoryLimit") ?? 3 },
      { type: "Failed", limit: numberOf(spec, "failedJobsHistoryLimit") ?? 1 },
    ];
    for (const { type, limit } of limits) {
      const finished = jobs
        .filter((job) => !isDeleting(job) && endOf(job, type) !== undefined)
        .toSorted(byAge);
      for (const job of finished.slice(0, Math.max(0, finished.length - limit)))
        await this.#remove(cron, job);
    }
  }

  async #report(cron: KubernetesObject, jobs: readonly KubernetesObject[], started: Started): Promise<void> {
    const old = statusOf(cron);
    const running = jobs.filter((job) => !isJobFinished(job));
    const fresh = started.job;
    const active =
      fresh === undefined || running.some((job) => uidOf(job) === uidOf(fresh))
        ? running
        : [...running, fresh];
    const last = started.due === undefined ? textOf(old, "lastScheduleTime") : formatTime(started.due);
    const successes = jobs.map((job) => endOf(job, "Complete")).filter((time) => time !== undefined);
    const known = timeOf(old, "lastSuccessfulTime");
    const success = Math.max(...successes, ...(known === undefined ? [] : [known]));
    const status: JsonObject = {
      ...(active.length > 0 && { active: active.toSorted(byAge).map((job) => referenceTo(job)) }),
      ...(last !== undefined && { lastScheduleTime: last }),
      ...(Number.isFinite(success) && { lastSuccessfulTime: formatTime(success) }),
    };
    if (canonical(status) === canonical(old)) return;
    const { signal } = this.#context;
    await this.#context.resource("cronjobs").updateStatus(withStatus(cron, status), { signal });
  }

  #warn(cron: KubernetesObject, reason: string, message: string): void {
    this.#recorder.record(cron, { type: "Warning", reason, message });
  }
}

interface Started {
  /** Milliseconds until the next time. */
  readonly again?: number;
  /** The time that was served. */
  readonly due?: number;
  readonly job?: KubernetesObject;
}

/** When a Job ended in this way. */
function endOf(job: KubernetesObject, type: string): number | undefined {
  const condition = conditionsIn(statusOf(job)).find(
    (one) => one["type"] === type && one["status"] === "True",
  );
  return condition && timeOf(condition, "lastTransitionTime");
}

/** The last due moment up to `now`, found by looking back in doubling steps from there. */
function lastBefore(schedule: CronSchedule, from: number, now: number): number {
  for (let back = 60_000; now - back > from; back *= 2) {
    let due = schedule.next(now - back);
    if (due === undefined || due > now) continue;
    for (let next = schedule.next(due); next !== undefined && next <= now; next = schedule.next(due))
      due = next;
    return due;
  }
  return from;
}
