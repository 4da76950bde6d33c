import type { ImageFileSystem } from "../image-service.ts";
import type { GcPolicy } from "./gc-policy.ts";
import type { ImageRecord } from "./image-records.ts";
import {
  assessDisk,
  byEvictionOrder,
  type Candidate,
  type DiskNeed,
  type GcTimes,
  type GcVerdict,
  isTooOld,
  judgeEligibility,
  judgeForSpace,
} from "./judge-image.ts";

/** What would become of one image, and why. */
export interface PlannedImage {
  readonly record: ImageRecord;
  readonly verdict: GcVerdict;
  /** For an image that is too young to make room: when it no longer is, milliseconds since the epoch. */
  readonly until?: number | undefined;
}

export interface CollectionPlan {
  readonly disk: DiskNeed | undefined;
  /** In the order in which collection looks at them; those it never looks at come last. */
  readonly images: readonly PlannedImage[];
  /** Bytes that would become free. */
  readonly freed: number;
  /** Whether the low threshold would be reached, or needn't be. */
  readonly isEnough: boolean;
}

/** A collection with its effects turned off: every removal is taken to succeed. */
export function planCollection(facts: {
  readonly records: readonly ImageRecord[];
  readonly inUse: ReadonlySet<string>;
  readonly idOf: (record: ImageRecord) => string;
  readonly policy: GcPolicy;
  readonly fileSystem: ImageFileSystem;
  readonly times: GcTimes;
}): CollectionPlan {
  const { policy, times } = facts;
  const disk = assessDisk(facts.fileSystem, policy);
  const apart: PlannedImage[] = [];
  const candidates: Candidate[] = [];
  for (const record of facts.records) {
    const id = facts.idOf(record);
    const verdict = judgeEligibility(record, { inUse: facts.inUse, id });
    if (verdict === undefined) candidates.push({ ...record, id });
    else apart.push({ record, verdict });
  }
  let [freed, freedForSpace] = [0, 0];
  const images = candidates.sort(byEvictionOrder).map((candidate): PlannedImage => {
    const verdict = isTooOld(candidate, policy, times)
      ? ({ action: "remove", because: "unused-too-long" } as const)
      : judge(candidate);
    if (verdict.action === "remove") freed += candidate.size;
    if (verdict.because === "space-needed") freedForSpace += candidate.size;
    const until = verdict.because === "too-young" ? candidate.firstDetected + policy.minAge : undefined;
    return { record: candidate, verdict, until };
  });
  const isEnough = disk === undefined || !disk.isAboveThreshold || freedForSpace >= disk.bytesToFree;
  return { disk, images: [...images, ...apart], freed, isEnough };

  function judge(candidate: Candidate): GcVerdict {
    if (disk === undefined || !disk.isAboveThreshold)
      return { action: "keep", because: "disk-below-threshold" };
    // As in earnest, there is always one look at a candidate before the sum is compared.
    if (freedForSpace > 0 && freedForSpace >= disk.bytesToFree)
      return { action: "keep", because: "enough-freed" };
    return judgeForSpace(candidate, policy, times.freeTime);
  }
}
