/** What pinning asks of the world: which digest does a tag stand for, in the eyes of one Pod? */

export interface DigestQuestion {
  /** With a tag, without a digest; completed with registry and tag: `docker.io/library/nginx:1.27`. */
  readonly image: string;
  readonly namespace: string;
  /** As the Pod names them; where there are none, those of its ServiceAccount count. */
  readonly imagePullSecrets: readonly string[];
  readonly serviceAccountName: string;
}

/**
 * - `NOT_FOUND`: the registry has no such tag
 * - `DENIED`: the registry doesn't show it to this Pod
 * - `RATE_LIMITED`: the registry asks to come back later
 * - `UNREACHABLE`: nobody answers there, or not as a registry
 * - `TIMEOUT`: no answer came in time
 */
export type DigestFailureCode = "NOT_FOUND" | "DENIED" | "RATE_LIMITED" | "UNREACHABLE" | "TIMEOUT";

export interface DigestFailure {
  readonly code: DigestFailureCode;
  /** A sentence without its full stop, and without secrets. */
  readonly message: string;
}

export type DigestAnswer =
  | {
      /** Of the index where there is one, otherwise of the manifest. */
      readonly digest: string;
      /** Found without credentials, or with such as every Pod may use: then everybody may know. */
      readonly openToAll?: boolean;
    }
  | { readonly failure: DigestFailure };

export interface DigestResolver {
  /** Rejects only when the signal is aborted. */
  resolve(question: DigestQuestion, options: { readonly signal: AbortSignal }): Promise<DigestAnswer>;
}

/** Whether a failure says something about the image, rather than about the way there. */
export function isDefinite({ code }: DigestFailure): boolean {
  return code === "NOT_FOUND" || code === "DENIED";
}
