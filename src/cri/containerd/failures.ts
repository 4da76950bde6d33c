/** What containerd's answers mean to us. Expected ones become values; the rest becomes an error with a code. */
import { Code, ConnectError } from "@connectrpc/connect";

import { DrayError } from "../../errors.ts";
import { CriError } from "../errors.ts";

export function isCode(error: unknown, ...codes: readonly Code[]): boolean {
  return error instanceof ConnectError && codes.includes(error.code);
}

/** `undefined` where containerd knows nothing of that name. */
export async function unlessMissing<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (isCode(error, Code.NotFound)) return undefined;
    throw error;
  }
}

/** Whether the call did something; false where what it should make was there already. */
export async function unlessExists(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    if (isCode(error, Code.AlreadyExists)) return false;
    throw error;
  }
}

/** Makes an error of ours out of gRPC's; all others pass through untouched. */
export function containerdError(action: string, error: unknown): unknown {
  if (!(error instanceof ConnectError) || error.code === Code.Canceled) return error;
  const said = error.rawMessage;
  if (/no space left on device|disk quota exceeded/i.test(said)) {
    return new CriError("NO_SPACE", `Cannot ${action}: containerd has no space left`, { cause: error });
  }
  if (error.code === Code.Unavailable || isUnreachable(error.cause)) {
    const why = REASONS[systemCode(error.cause) ?? ""];
    const state = `containerd does not answer${why === undefined ? "" : `: ${why}`}`;
    return new CriError("CONTAINERD_UNAVAILABLE", `Cannot ${action}: ${state}`, { cause: error });
  }
  return new CriError("CONTAINERD_FAILED", `Cannot ${action}: containerd says ${JSON.stringify(said)}`, {
    cause: error,
  });
}

/** Whether a disk is full: containerd's, or the one we unpack to, which is mostly the same. */
export function isFull(error: unknown): boolean {
  return error instanceof DrayError && error.code === "NO_SPACE";
}

/** Awaits a call to containerd; what goes wrong there gets a code of ours. */
export async function attempt<T>(action: string, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw containerdError(action, error);
  }
}

/** What an operator would look for first. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such socket",
  ECONNREFUSED: "nobody listens on that socket",
  EACCES: "this user may not use its socket",
  ENOTSOCK: "that is no socket",
};

/** The connection itself failed, before containerd said anything. */
function isUnreachable(cause: unknown): boolean {
  const codes = [...Object.keys(REASONS), "ECONNRESET", "EPIPE"];
  return codes.includes(systemCode(cause) ?? "");
}

function systemCode(cause: unknown): string | undefined {
  return cause instanceof Error && "code" in cause ? String(cause.code) : undefined;
}
