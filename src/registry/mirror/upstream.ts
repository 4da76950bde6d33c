/**
 * The port to a registry elsewhere, whose content is served here. What speaks the protocol lives in another room;
 * here is what a mirror asks of it, and what can come back.
 */
import { DrayError, type DrayErrorOptions } from "../../errors.ts";
import type { Secret } from "../../internal/secret.ts";
import type { ContentStream, Descriptor, Digest, SignalOptions } from "../../oci/index.ts";

/** Somebody whose own credentials are shown to the upstream instead of ours. */
export interface UpstreamCaller {
  /** Equal for equal credentials; says nothing about them. */
  readonly id: string;
  /** The `Authorization` header as it came; `undefined` for nobody in particular. */
  readonly authorization: Secret | undefined;
}

/** One repository of the upstream, and who asks. */
export interface UpstreamQuery extends SignalOptions {
  /** As the upstream calls it: `library/nginx`. */
  readonly repository: string;
  /** Without one, the mirror asks as itself. */
  readonly caller?: UpstreamCaller | undefined;
}

export interface UpstreamManifest {
  readonly descriptor: Descriptor;
  /** The whole document; it hashes to the descriptor's digest. */
  readonly bytes: Uint8Array;
}

export interface UpstreamBlob {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

export interface TagsPage {
  readonly after?: string | undefined;
  readonly limit: number;
}

/** Every verb throws {@link UpstreamError} and nothing else, but for the signal's reason. */
export interface Upstream extends AsyncDisposable {
  /** What a tag or digest stands for, by HEAD where that is enough. */
  headManifest(query: UpstreamQuery, reference: string): Promise<Descriptor>;
  openManifest(query: UpstreamQuery, reference: string): Promise<UpstreamManifest>;
  headBlob(query: UpstreamQuery, digest: Digest): Promise<UpstreamBlob>;
  /** From `offset` on. The bytes are not verified. */
  openBlob(query: UpstreamQuery, blob: UpstreamBlob, offset: number): Promise<ContentStream>;
  /** In the upstream's order; fewer than `limit` are all there are. */
  listTags(query: UpstreamQuery, page: TagsPage): Promise<readonly string[]>;
  listReferrers(
    query: UpstreamQuery,
    subject: Digest,
    artifactType: string | undefined,
  ): Promise<readonly Descriptor[]>;
}

/**
 * - `NAME_UNKNOWN`, `MANIFEST_UNKNOWN`, `BLOB_UNKNOWN`: it is not there
 * - `UNAUTHORIZED`: other credentials may help; `DENIED`: these never will
 * - `TOOMANYREQUESTS`: come again after `retryAfter`
 * - `UNSUPPORTED`: in a format that nobody serves any more
 * - `UPSTREAM_INVALID`: it answered, and the answer can't be used
 * - `UPSTREAM_UNREACHABLE`: it did not answer, or said that it can't now
 */
export type UpstreamErrorCode =
  | "NAME_UNKNOWN"
  | "MANIFEST_UNKNOWN"
  | "BLOB_UNKNOWN"
  | "UNAUTHORIZED"
  | "DENIED"
  | "TOOMANYREQUESTS"
  | "UNSUPPORTED"
  | "UPSTREAM_INVALID"
  | "UPSTREAM_UNREACHABLE";

export interface UpstreamErrorOptions extends DrayErrorOptions {
  /** Milliseconds. */
  readonly retryAfter?: number | undefined;
  /** What the upstream's `WWW-Authenticate` said. */
  readonly challenge?: string | undefined;
}

/** The message is shown to callers: one sentence without secrets. */
export class UpstreamError extends DrayError<UpstreamErrorCode> {
  readonly retryAfter: number | undefined;
  readonly challenge: string | undefined;

  constructor(code: UpstreamErrorCode, message: string, options: UpstreamErrorOptions = {}) {
    super(code, message, options);
    this.retryAfter = options.retryAfter;
    this.challenge = options.challenge;
  }
}

/** Whether it says that something isn't there, rather than that nobody can tell. */
export function isNotFound(error: unknown): error is UpstreamError {
  return (
    error instanceof UpstreamError &&
    (error.code === "NAME_UNKNOWN" || error.code === "MANIFEST_UNKNOWN" || error.code === "BLOB_UNKNOWN")
  );
}

/** Whether the upstream could not be asked just now, so that what is known of it has to do. */
export function isAbsence(error: unknown): error is UpstreamError {
  return (
    error instanceof UpstreamError &&
    (error.code === "TOOMANYREQUESTS" || error.code === "UPSTREAM_UNREACHABLE")
  );
}

/** Whether the upstream refused whoever asked. */
export function isRefusal(error: unknown): error is UpstreamError {
  return error instanceof UpstreamError && (error.code === "UNAUTHORIZED" || error.code === "DENIED");
}
