import { authorityMaps } from "./authority-maps.ts";
import { ControllerContext, type ControllersOptions } from "./context.ts";
import { cronJobs } from "./cron-job.ts";
import { daemonSets } from "./daemon-set.ts";
import { deployments } from "./deployment.ts";
import { jobs } from "./job.ts";
import { replicaSets, replicationControllers } from "./replica-set.ts";
import { scheduler } from "./scheduler.ts";
import { statefulSets } from "./stateful-set.ts";

export interface RunningControllers {
  /** Resolves when all that was there at the start has been seen. */
  readonly synced: Promise<void>;
  /** Resolves, after the signal was aborted, when nothing is under way any more. */
  readonly stopped: Promise<void>;
}

const ALL = [
  cronJobs,
  jobs,
  deployments,
  replicaSets,
  replicationControllers,
  statefulSets,
  daemonSets,
  scheduler,
] as const;

/**
 * Makes what workloads ask for: their Pods, and a Node for each. Everything is looked at anew whenever something
 * changes, so that starting in the middle, stopping at any point and doing things twice are all the same.
 */
export function startControllers(options: ControllersOptions): RunningControllers {
  const context = new ControllerContext(options);
  const queues = ALL.map((make) => make(context));
  const following = context.run();
  const synced = context.synced();
  const working = (async (): Promise<void> => {
    // Half a picture would look like missing Pods.
    await synced.catch(() => {});
    await Promise.all(queues.map((queue) => queue.run(context.signal)));
  })();
  // Whoever stops before the first list was read need not be told.
  synced.catch(() => {});
  const { authority } = options;
  const telling = authority === undefined ? undefined : authorityMaps(context, authority).run(options.signal);
  const stopped = Promise.all([following, working, telling]).then(() => context.flush());
  return { synced, stopped };
}
