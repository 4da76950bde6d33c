import { DrayError } from "../errors.ts";

/**
 * - `IMAGE_NAME_INVALID`: text in a Pod that is no image name; the message is the kubelet's
 * - `PULL_QPS_EXCEEDED`: more pulls asked for than the rate allows
 * - `POLICY_UNKNOWN`, `ALLOWLIST_PATTERN_INVALID`: a verification policy that can't be made
 * - `RECORD_UNREADABLE`, `RECORD_UNWRITABLE`: a pull record's file
 * - `GC_POLICY_INVALID`, `GC_FAILED`: garbage collection
 * - `CONFIGURATION_INVALID`: a kubelet configuration
 * - `PULL_FAILED`, `IMAGE_STATUS_INVALID`: what a runtime answered
 */
export type ImagesErrorCode =
  | "IMAGE_NAME_INVALID"
  | "PULL_QPS_EXCEEDED"
  | "POLICY_UNKNOWN"
  | "ALLOWLIST_PATTERN_INVALID"
  | "RECORD_UNREADABLE"
  | "RECORD_UNWRITABLE"
  | "GC_POLICY_INVALID"
  | "GC_FAILED"
  | "CONFIGURATION_INVALID"
  | "PULL_FAILED"
  | "IMAGE_STATUS_INVALID";

export class ImagesError extends DrayError<ImagesErrorCode> {}
