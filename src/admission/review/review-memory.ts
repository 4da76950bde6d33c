/**
 * Reviews that were read and answered a moment ago. Replicas that are made in one go send the same review again and
 * again, but for its uid; reading JSON and looking for what changed is most of the work of answering one.
 */
import type { AdmissionDecision, AdmissionRequest } from "../admission.ts";
import { type ReadReview, readReview } from "./read-review.ts";

/** As API servers begin every review. */
const HEAD = '{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"';
const UID_LENGTH = 36;
const UID = /^[0-9a-f-]{36}$/;
const CAPACITY = 64;
/** Rare ones don't push many others out. */
const MAX_SIZE = 64 * 1024;

export interface RecalledReview extends ReadReview {
  /** Answers by path; undefined for reviews that aren't remembered. */
  readonly answers: Map<string, KnownAnswer> | undefined;
}

export interface KnownAnswer {
  readonly decision: AdmissionDecision;
  /** Before and behind the uid. */
  readonly text: readonly [string, string];
  /** Until when it counts. */
  readonly until: number;
}

interface KnownReview {
  readonly request: AdmissionRequest;
  readonly answers: Map<string, KnownAnswer>;
}

export class ReviewMemory {
  /** By all that follows the uid. */
  readonly #known = new Map<string, KnownReview>();

  /** @throws SyntaxError for a body that is no JSON, StatusError for one that is no review */
  read(body: Uint8Array): RecalledReview {
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    if (bytes.length > MAX_SIZE) return { ...parse(bytes), answers: undefined };
    // One character a byte: what is alike this way is alike, and it costs less than to decode.
    const raw = bytes.toString("latin1");
    const uid = raw.slice(HEAD.length, HEAD.length + UID_LENGTH);
    const usual = raw.startsWith(HEAD) && UID.test(uid);
    if (!usual) return { ...parse(bytes), answers: undefined };
    const rest = raw.slice(HEAD.length + UID_LENGTH);
    const known = this.#known.get(rest);
    if (known !== undefined) return { uid, request: known.request, answers: known.answers };
    const { uid: last, request } = parse(bytes);
    // A later member of the same name has another say.
    if (last !== uid) return { uid: last, request, answers: undefined };
    const answers = new Map<string, KnownAnswer>();
    this.#keep(rest, { request, answers });
    return { uid, request, answers };
  }

  #keep(rest: string, review: KnownReview): void {
    const [oldest] = this.#known.keys();
    if (this.#known.size >= CAPACITY && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(rest, review);
  }
}

function parse(bytes: Buffer): ReadReview {
  return readReview(JSON.parse(bytes.toString("utf8")));
}
