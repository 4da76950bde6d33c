/**
 * Reviews that were read and answered a moment ago. Replicas that are made in one go send the same review again and
 * again, but for its uid; reading JSON and looking for what changed is most of the work of answering one.
 */
import { crc32 } from "node:zlib";

import type { AdmissionDecision, AdmissionRequest } from "../admission.ts";
import { type ReadReview, readReview } from "./read-review.ts";

/** As API servers begin every review. */
const HEAD = '{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"';
const UID_LENGTH = 36;
const UID = /^[0-9a-f-]{36}$/;
const CAPACITY = 64;
/** Most reviews come once: only what comes again is worth keeping. */
const SEEN = 1024;
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
  /** All that follows the uid. */
  readonly rest: Buffer;
  readonly request: AdmissionRequest;
  readonly answers: Map<string, KnownAnswer>;
}

export class ReviewMemory {
  /** By checksum; the texts themselves have the last word. */
  readonly #known = new Map<number, KnownReview>();
  readonly #seen = new Set<number>();

  /** @throws SyntaxError for a body that is no JSON, StatusError for one that is no review */
  read(body: Uint8Array): RecalledReview {
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    const uid = bytes.length > MAX_SIZE ? undefined : findUid(bytes);
    if (uid === undefined) return { ...parse(bytes), answers: undefined };
    const rest = bytes.subarray(HEAD.length + UID_LENGTH);
    const checksum = crc32(rest);
    const known = this.#known.get(checksum);
    if (known?.rest.equals(rest) === true) return { uid, request: known.request, answers: known.answers };
    const { uid: last, request } = parse(bytes);
    // A later member of the same name has another say.
    if (last !== uid || !this.#comesAgain(checksum)) return { uid: last, request, answers: undefined };
    const answers = new Map<string, KnownAnswer>();
    // The bytes belong to a larger piece of memory, which would stay along.
    keepIn(this.#known, checksum, { rest: Buffer.from(rest), request, answers });
    return { uid, request, answers };
  }

  #comesAgain(checksum: number): boolean {
    if (this.#seen.has(checksum)) return true;
    if (this.#seen.size >= SEEN) this.#seen.clear();
    this.#seen.add(checksum);
    return false;
  }
}

function findUid(bytes: Buffer): string | undefined {
  const start = bytes.toString("latin1", 0, HEAD.length + UID_LENGTH);
  const uid = start.slice(HEAD.length);
  return start.startsWith(HEAD) && UID.test(uid) ? uid : undefined;
}

function keepIn(known: Map<number, KnownReview>, checksum: number, review: KnownReview): void {
  const [oldest] = known.keys();
  if (known.size >= CAPACITY && oldest !== undefined) known.delete(oldest);
  known.set(checksum, review);
}

function parse(bytes: Buffer): ReadReview {
  return readReview(JSON.parse(bytes.toString("utf8")));
}
