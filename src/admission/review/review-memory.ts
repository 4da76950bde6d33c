/**
 * Reviews that were read a moment ago. Replicas that are made in one go send the same review again and again, but for
 * its uid; reading JSON is most of the work of answering one.
 */
import type { AdmissionRequest } from "../admission.ts";
import { type ReadReview, readReview } from "./read-review.ts";

/** As API servers begin every review. */
const HEAD = '{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"';
const UID_LENGTH = 36;
const UID = /^[0-9a-f-]{36}$/;
const CAPACITY = 64;
/** Rare ones don't push many others out. */
const MAX_SIZE = 64 * 1024;

export class ReviewMemory {
  /** By all that follows the uid. */
  readonly #known = new Map<string, AdmissionRequest>();

  /** @throws SyntaxError for a body that is no JSON, StatusError for one that is no review */
  read(body: Uint8Array): ReadReview {
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    if (bytes.length > MAX_SIZE) return readReview(JSON.parse(bytes.toString("utf8")));
    // One character a byte: what is alike this way is alike, and it costs less than to decode.
    const raw = bytes.toString("latin1");
    const uid = raw.slice(HEAD.length, HEAD.length + UID_LENGTH);
    const usual = raw.startsWith(HEAD) && UID.test(uid);
    const rest = usual ? raw.slice(HEAD.length + UID_LENGTH) : "";
    const request = usual ? this.#known.get(rest) : undefined;
    if (request !== undefined) return { uid, request };
    const review = readReview(JSON.parse(bytes.toString("utf8")));
    // A later member of the same name would have another say.
    if (usual && review.uid === uid) this.#keep(rest, review.request);
    return review;
  }

  #keep(rest: string, request: AdmissionRequest): void {
    const [oldest] = this.#known.keys();
    if (this.#known.size >= CAPACITY && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(rest, request);
  }
}
