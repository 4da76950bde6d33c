import { DrayError } from "../errors.ts";

/**
 * - `SOCKET_IN_USE`: somebody serves on that socket
 * - `SOCKET_UNUSABLE`: no socket can be made or reached there
 * - `IMAGE_AMBIGUOUS`: the beginning of several images' ids
 * - `PULL_STALLED`: no byte came for too long
 * - `PULL_OVERDUE`: a pull took longer than it may
 * - `SERVICE_FAILED`: an image service answered with an error
 * - `CONTAINERD_UNAVAILABLE`: nobody answers on containerd's socket
 * - `CONTAINERD_FAILED`: containerd refused, or failed at, what it was asked for
 * - `NO_SPACE`: containerd's disk is full
 */
export type CriErrorCode =
  | "SOCKET_IN_USE"
  | "SOCKET_UNUSABLE"
  | "IMAGE_AMBIGUOUS"
  | "PULL_STALLED"
  | "PULL_OVERDUE"
  | "SERVICE_FAILED"
  | "CONTAINERD_UNAVAILABLE"
  | "CONTAINERD_FAILED"
  | "NO_SPACE";

export class CriError extends DrayError<CriErrorCode> {}
