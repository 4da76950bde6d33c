import type { LockedOut, Operations, QueueTally, ServedRegistry } from "../../registry/index.ts";

/** What a registry says of itself while it runs. */
export interface LiveStatus {
  readonly pid: number;
  readonly version: string;
  readonly address: string;
  readonly port: number;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly state: "serving" | "draining";
  /** Requests answered since it began. */
  readonly requests: number;
  /** Of them, those that failed for reasons of its own. */
  readonly failures: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Requests under way, and those of them that send blobs. */
  readonly underWay: number;
  readonly uploads: number;
  readonly lockedOut: readonly LockedOut[];
  readonly notifications: readonly QueueTally[];
}

export interface LiveStatusOptions extends Pick<Operations, "statistics" | "notifications"> {
  readonly served: Pick<ServedRegistry, "address" | "port">;
  readonly startedAt: number;
  readonly leaving: boolean;
  readonly lockedOut: readonly LockedOut[];
  readonly version: string;
}

export function liveStatus(options: LiveStatusOptions): LiveStatus {
  const { served, statistics, notifications, leaving, startedAt, lockedOut, version } = options;
  const sum = (pick: (one: (typeof statistics.counts)[number]) => number): number =>
    statistics.counts.reduce((total, one) => total + pick(one), 0);
  return {
    pid: process.pid,
    version,
    address: served.address,
    port: served.port,
    startedAt,
    state: leaving ? "draining" : "serving",
    requests: sum(({ count }) => count),
    failures: sum(({ count, status }) => (status >= 500 ? count : 0)),
    bytesIn: sum(({ bytesIn }) => bytesIn),
    bytesOut: sum(({ bytesOut }) => bytesOut),
    underWay: statistics.underWay.requests,
    uploads: statistics.underWay.uploads,
    lockedOut,
    notifications: notifications.notifier?.tallies() ?? [],
  };
}
