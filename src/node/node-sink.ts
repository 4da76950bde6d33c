import type { CorrelatedEvent, EventObject } from "./event-correlator.ts";
import type { NodePod } from "./pod-source.ts";
import type { PodStatus } from "./status/pod-status.ts";

/** Where a node says how it goes. Called as things happen; must not throw. */
export interface NodeSink {
  /** A Pod's status isn't what it was. */
  status?(pod: NodePod, status: PodStatus): void;
  /** Something happened. Whoever writes events leaves out those held back; see `toApiEvent`. */
  event?(object: EventObject, event: CorrelatedEvent): void;
}
