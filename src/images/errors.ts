import { DrayError } from "../errors.ts";

/**
 * - `IMAGE_NAME_INVALID`: text in a Pod that is no image name; the message is the kubelet's
 * - `PULL_QPS_EXCEEDED`: more pulls asked for than the rate allows
 */
export type ImagesErrorCode = "IMAGE_NAME_INVALID" | "PULL_QPS_EXCEEDED";

export class ImagesError extends DrayError<ImagesErrorCode> {}
