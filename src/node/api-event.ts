import type { CorrelatedEvent, EventObject } from "./event-correlator.ts";
import { formatTime } from "./status/make-pod-status.ts";

/** An event as an object of the API, without what the API itself adds. */
export interface ApiEvent {
  readonly apiVersion: "v1";
  readonly kind: "Event";
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly involvedObject: {
    readonly apiVersion?: "v1";
    readonly kind: string;
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly fieldPath?: string;
  };
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  readonly firstTimestamp: string;
  readonly lastTimestamp: string;
  readonly eventTime: null;
  readonly source: { readonly component: string; readonly host: string };
  readonly reportingComponent: string;
  readonly reportingInstance: string;
}

/**
 * @param source who says it: `kubelet` on a node of that name
 *
 * Equal events have the same name, so that the second one is written over the first.
 */
export function toApiEvent(
  object: EventObject,
  event: CorrelatedEvent,
  source: { readonly component: string; readonly host: string },
): ApiEvent {
  const { kind, namespace, name, uid } = object;
  const { type, reason, message, count, first, last, fieldPath } = event;
  // Two texts may begin in one millisecond: what they say tells them apart.
  const moment = (BigInt(first) * 1_000_000n + BigInt(fingerprint(event.key) % 1_000_000)).toString(16);
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: `${name}.${moment}`, namespace: namespace === "" ? "default" : namespace },
    involvedObject: {
      ...(kind === "Pod" && { apiVersion: "v1", namespace }),
      kind,
      name,
      uid,
      ...(fieldPath !== undefined && { fieldPath }),
    },
    type,
    reason,
    message,
    count,
    firstTimestamp: formatTime(first),
    lastTimestamp: formatTime(last),
    eventTime: null,
    source,
    reportingComponent: source.component,
    reportingInstance: source.host,
  };
}

/** FNV-1a. */
function fingerprint(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}
