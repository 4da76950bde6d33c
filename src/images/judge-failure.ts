import { ClientError, type ClientErrorCode } from "../client/index.ts";
import { OciError } from "../oci/index.ts";
import { messageOf } from "./message-of.ts";

/**
 * What lies behind a failed pull:
 *
 * - `no-such-image`: no repository, tag or content of that name; some registries say so to strangers, too
 * - `denied`: credentials are missing, wrong, or not enough
 * - `no-platform`: nothing in the index for this node
 * - `not-an-image`: content that can't be used, or isn't what its digest says
 * - `untrusted`: the registry couldn't prove who it is
 * - `rate-limited`: asked too often
 * - `unreachable`: no answer, or none in time
 * - `registry-failing`: an answer of the 500s
 * - `other`: all else, and whatever a foreign runtime says
 */
export type FailureCause =
  | "no-such-image"
  | "denied"
  | "no-platform"
  | "not-an-image"
  | "untrusted"
  | "rate-limited"
  | "unreachable"
  | "registry-failing"
  | "other";

export interface FailureDetail {
  /** `permanent` stays so until somebody changes something, `passing` may be over by the next attempt. */
  readonly kind: "permanent" | "passing" | "unknown";
  readonly because: FailureCause;
  /** Whether no attempt got an answer that says anything about the image or who may have it. */
  readonly unreachable: boolean;
  /** Milliseconds the registry asked to be left alone. */
  readonly retryAfter?: number | undefined;
}

const KINDS: Readonly<Record<FailureCause, FailureDetail["kind"]>> = {
  "no-such-image": "permanent",
  denied: "permanent",
  "no-platform": "permanent",
  "not-an-image": "permanent",
  untrusted: "permanent",
  "rate-limited": "passing",
  unreachable: "passing",
  "registry-failing": "passing",
  other: "unknown",
};

/** What other credentials might mend: a registry may hide what one may not see, or count strangers together. */
const CURABLE: ReadonlySet<FailureCause> = new Set(["no-such-image", "denied", "rate-limited", "other"]);

const BY_CODE: Readonly<Partial<Record<ClientErrorCode, FailureCause>>> = {
  NAME_UNKNOWN: "no-such-image",
  MANIFEST_UNKNOWN: "no-such-image",
  BLOB_UNKNOWN: "no-such-image",
  UNAUTHORIZED: "denied",
  DENIED: "denied",
  TOOMANYREQUESTS: "rate-limited",
  DIGEST_INVALID: "not-an-image",
  SIZE_INVALID: "not-an-image",
  MANIFEST_INVALID: "not-an-image",
  UNSUPPORTED: "not-an-image",
};

/** Judges what a runtime threw. Where several credentials were tried, all of them count. */
export function judgeFailure(error: unknown): FailureDetail {
  const [first, ...others] = leavesOf(error).map(judgeOne);
  if (first === undefined) return judgeOne(error);
  return others.reduce(combine, first);
}

export function isCurable({ because }: FailureDetail): boolean {
  return CURABLE.has(because);
}

/** The passing one speaks for both, since trying again makes sense. */
function combine(one: FailureDetail, other: FailureDetail): FailureDetail {
  const weight = { passing: 2, unknown: 1, permanent: 0 };
  const speaker = weight[other.kind] > weight[one.kind] ? other : one;
  const times = [one.retryAfter, other.retryAfter].filter((time) => time !== undefined);
  return {
    ...speaker,
    unreachable: one.unreachable && other.unreachable,
    retryAfter: times.length === 0 ? undefined : Math.max(...times),
  };
}

function judgeOne(error: unknown): FailureDetail {
  const because = causeOf(error);
  const kind = KINDS[because];
  const retryAfter = kind === "passing" && error instanceof ClientError ? error.retryAfter : undefined;
  return { kind, because, unreachable: kind === "passing", retryAfter };
}

function causeOf(error: unknown): FailureCause {
  if (error instanceof OciError) {
    if (error.code === "BLOB_UNKNOWN") return "no-such-image";
    return error.code === "PLATFORM_UNKNOWN" ? "no-platform" : "not-an-image";
  }
  // A foreign runtime has only words, of which the kubelet knows these.
  if (!(error instanceof ClientError)) {
    return messageOf(error).startsWith("RegistryUnavailable") ? "unreachable" : "other";
  }
  const { code, status } = error;
  if (status !== undefined && status >= 500) return "registry-failing";
  if (code.startsWith("NETWORK_")) return "unreachable";
  if (code.startsWith("TLS_")) return "untrusted";
  return BY_CODE[code] ?? "other";
}

function leavesOf(error: unknown): readonly unknown[] {
  if (error instanceof AggregateError) return error.errors.flatMap(leavesOf);
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof AggregateError && !(error instanceof ClientError) ? leavesOf(cause) : [error];
}
