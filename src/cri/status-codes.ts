/** Failures as gRPC tells them. The codes are those that containerd answers with, which kubelets know. */
import { Code, ConnectError } from "@connectrpc/connect";

import { DrayError } from "../errors.ts";

/** By our code; any other failure is `Unknown`, of which a kubelet shows the message alone. */
const CODES: Readonly<Record<string, Code>> = {
  MANIFEST_UNKNOWN: Code.NotFound,
  NAME_UNKNOWN: Code.NotFound,
  BLOB_UNKNOWN: Code.NotFound,
  PLATFORM_UNKNOWN: Code.NotFound,
  // What isn't a manifest is taken for a blob there, which then isn't found.
  RESPONSE_INVALID: Code.NotFound,
  DIGEST_INVALID: Code.FailedPrecondition,
  SIZE_INVALID: Code.FailedPrecondition,
  // Schema 1.
  UNSUPPORTED: Code.InvalidArgument,
  MANIFEST_UNSUPPORTED: Code.InvalidArgument,
  PULL_STALLED: Code.Canceled,
  PULL_OVERDUE: Code.DeadlineExceeded,
  CLOSED: Code.Unavailable,
  CONTAINERD_UNAVAILABLE: Code.Unavailable,
};

/** The trailer that carries our own code, for those who know us. */
export const CODE_TRAILER = "dray-error-code";

/** What a caller is told. The reason of a signal that ended the work counts for more than what the work made of it. */
export function toConnectError(error: unknown, signal?: AbortSignal): ConnectError {
  if (signal?.aborted === true) return ConnectError.from(signal.reason, Code.Canceled);
  if (error instanceof ConnectError) return error;
  if (!(error instanceof DrayError)) return new ConnectError(textOf(error), Code.Unknown);
  const code = CODES[error.code] ?? Code.Unknown;
  return new ConnectError(error.message, code, { [CODE_TRAILER]: error.code });
}

/** As gRPC's own libraries spell a code: `NotFound`. */
export function codeName(code: Code | undefined): string {
  return code === undefined ? "OK" : (Code[code] ?? "Unknown");
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
