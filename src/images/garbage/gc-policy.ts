import { ImagesError } from "../errors.ts";

/** When images are collected, and which. Ages in milliseconds. */
export interface GcPolicy {
  /** Collection begins at this much of the disk in use, in percent. */
  readonly highThresholdPercent: number;
  /** And aims at this much. */
  readonly lowThresholdPercent: number;
  /** Images known for less time stay. */
  readonly minAge: number;
  /** Images unused for longer go; 0 is no limit. */
  readonly maxAge: number;
}

/** The kubelet's: 85 and 80 percent, two minutes, no limit. */
export const DEFAULT_GC_POLICY: GcPolicy = {
  highThresholdPercent: 85,
  lowThresholdPercent: 80,
  minAge: 120_000,
  maxAge: 0,
};

/** @throws ImagesError `GC_POLICY_INVALID` with the kubelet's message */
export function checkGcPolicy(policy: GcPolicy): GcPolicy {
  const { highThresholdPercent: high, lowThresholdPercent: low } = policy;
  if (high < 0 || high > 100) throw invalid(`invalid HighThresholdPercent ${high}, must be in range [0-100]`);
  if (low < 0 || low > 100) throw invalid(`invalid LowThresholdPercent ${low}, must be in range [0-100]`);
  if (low > high) {
    throw invalid(`LowThresholdPercent ${low} can not be higher than HighThresholdPercent ${high}`);
  }
  return policy;
}

/** Whether the policy never collects anything, so that no loop is needed. */
export function isCollectionOff({ highThresholdPercent, maxAge }: GcPolicy): boolean {
  return highThresholdPercent === 100 && maxAge === 0;
}

function invalid(message: string): ImagesError {
  return new ImagesError("GC_POLICY_INVALID", message);
}
