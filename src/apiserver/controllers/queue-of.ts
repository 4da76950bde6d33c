import { type ControllerContext, onChange, type WatchedResource } from "./context.ts";
import { WorkQueue } from "./work-queue.ts";

/** What a controller looks after. */
export interface Own {
  readonly resource: WatchedResource;
  readonly kind: string;
  /** What its objects make: a change of these makes them be looked at, too. */
  readonly possessions: readonly WatchedResource[];
}

/** The queue of a controller: objects of its kind come to it when they change, or what they own does. */
export function queueOf(
  context: ControllerContext,
  own: Own,
  controller: { reconcile(key: string): Promise<number | undefined> },
): WorkQueue {
  const { clock, onError } = context;
  const queue = new WorkQueue({ clock, onError, reconcile: (key) => controller.reconcile(key) });
  onChange(context, own, { possessions: own.possessions, add: (key) => queue.add(key) });
  return queue;
}
