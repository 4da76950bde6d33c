import type { TrackedCredential } from "../credentials/index.ts";
import { aggregate } from "../internal/kubernetes/field-error.ts";
import { messageOf } from "./message-of.ts";
import { ImagesError } from "./errors.ts";

/**
 * Tries credentials in their order until one succeeds. Without any there is one anonymous attempt; with some there is
 * none, and when all fail, their errors become one.
 */
export async function tryCredentials<T>(
  credentials: readonly TrackedCredential[],
  options: {
    readonly attempt: (credential: TrackedCredential | undefined) => Promise<T>;
    /** Whether a failure makes it pointless to try the others. */
    readonly giveUp?: ((error: unknown) => boolean) | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<{ readonly value: T; readonly credential: TrackedCredential | undefined }> {
  if (credentials.length === 0) return { value: await options.attempt(undefined), credential: undefined };
  const errors: unknown[] = [];
  for (const credential of credentials) {
    try {
      return { value: await options.attempt(credential), credential };
    } catch (error) {
      options.signal?.throwIfAborted();
      errors.push(error);
      if (options.giveUp?.(error) === true) break;
    }
  }
  // A lone error stays itself, with its code and its cause.
  if (errors.length === 1) throw errors[0];
  throw new ImagesError("PULL_FAILED", aggregate(errors.map(messageOf)), {
    cause: new AggregateError(errors),
  });
}
