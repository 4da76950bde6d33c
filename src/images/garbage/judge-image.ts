/** The rules of collection, one image at a time. Collecting and its dry run ask the same ones. */
import type { GcPolicy } from "./gc-policy.ts";
import type { ImageRecord } from "./image-records.ts";

export type KeepReason =
  | "in-use"
  | "pinned"
  | "id-invalid"
  | "used-since"
  | "too-young"
  | "removal-failed"
  | "enough-freed"
  | "disk-below-threshold";

export type GcVerdict =
  | { readonly action: "remove"; readonly because: "unused-too-long" | "space-needed" }
  | { readonly action: "keep"; readonly because: KeepReason };

/** An image nobody holds, and its id for the runtime. */
export interface Candidate extends ImageRecord {
  readonly id: string;
}

/** Whether an image may be considered at all; `undefined` when it may. */
export function judgeEligibility(
  record: ImageRecord,
  facts: { readonly inUse: ReadonlySet<string>; readonly id: string },
): GcVerdict | undefined {
  if (facts.inUse.has(record.key)) return { action: "keep", because: "in-use" };
  if (record.pinned) return { action: "keep", because: "pinned" };
  if (facts.id === "") return { action: "keep", because: "id-invalid" };
  return undefined;
}

/** Least recently used first; of those, the one known for longest. */
export function byEvictionOrder(a: ImageRecord, b: ImageRecord): number {
  return a.lastUsed - b.lastUsed || a.firstDetected - b.firstDetected;
}

/**
 * Whether age alone removes an image. One that was never used goes however new it is, once we have watched for so
 * long; the minimum age doesn't count here.
 */
export function isTooOld(candidate: Candidate, policy: GcPolicy, times: GcTimes): boolean {
  return agesCount(policy, times) && times.freeTime - candidate.lastUsed > policy.maxAge;
}

/** Before we have watched for the maximum age, nothing can be known to be unused for so long. */
export function agesCount({ maxAge }: GcPolicy, { freeTime, beganGc }: GcTimes): boolean {
  return maxAge !== 0 && freeTime - beganGc > maxAge;
}

export interface GcTimes {
  readonly freeTime: number;
  readonly beganGc: number;
}

/** Whether an image may go to make room. */
export function judgeForSpace(candidate: Candidate, policy: GcPolicy, freeTime: number): GcVerdict {
  if (candidate.lastUsed >= freeTime) return { action: "keep", because: "used-since" };
  if (freeTime - candidate.firstDetected < policy.minAge) return { action: "keep", because: "too-young" };
  return { action: "remove", because: "space-needed" };
}

export interface DiskNeed {
  readonly capacity: number;
  readonly available: number;
  /** Whole percent in use; a broken percent counts as a whole one. */
  readonly usagePercent: number;
  readonly isAboveThreshold: boolean;
  /** How many bytes would bring usage down to the low threshold. */
  readonly bytesToFree: number;
}

/** What the disk says about collecting; `undefined` for a disk without capacity. */
export function assessDisk(
  {
    capacityBytes = 0,
    availableBytes = 0,
  }: { readonly capacityBytes?: number | undefined; readonly availableBytes?: number | undefined },
  policy: GcPolicy,
): DiskNeed | undefined {
  const capacity = capacityBytes;
  const available = Math.min(availableBytes, capacity);
  if (capacity === 0) return undefined;
  // Whole numbers, since large disks times a hundred leave the range where a double is exact.
  const usagePercent = 100 - Number((BigInt(available) * 100n) / BigInt(capacity));
  const target = (BigInt(capacity) * BigInt(100 - policy.lowThresholdPercent)) / 100n;
  return {
    capacity,
    available,
    usagePercent,
    isAboveThreshold: usagePercent >= policy.highThresholdPercent,
    bytesToFree: Number(target) - available,
  };
}
