import { DrayError } from "../errors.ts";

/**
 * - `SOCKET_IN_USE`: somebody serves on that socket
 * - `SOCKET_UNUSABLE`: no socket can be made or reached there
 * - `IMAGE_AMBIGUOUS`: the beginning of several images' ids
 * - `PULL_STALLED`: no byte came for too long
 * - `SERVICE_FAILED`: an image service answered with an error
 */
export type CriErrorCode =
  | "SOCKET_IN_USE"
  | "SOCKET_UNUSABLE"
  | "IMAGE_AMBIGUOUS"
  | "PULL_STALLED"
  | "SERVICE_FAILED";

export class CriError extends DrayError<CriErrorCode> {}
