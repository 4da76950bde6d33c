/**
 * Reviews that were read and answered a moment ago. Replicas that are made in one go send the same review again and
 * again, but for its uid and the names that were made for them; reading JSON and looking for what changed is most of
 * the work of answering one.
 */
import type { AdmissionDecision, AdmissionRequest } from "../admission.ts";
import { type ReadReview, readReview } from "./read-review.ts";
import { type HoleTexts, ReviewTemplate } from "./review-template.ts";

const TEMPLATES = 16;
/** Reviews that fit no template, to find one with those that follow. */
const CANDIDATES = 4;
/** After so many in a row without a template, only one in a few is compared: they seem to have nothing in common. */
const HOPEFUL = 32;
const SAMPLE = 8;
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

interface KnownTemplate {
  readonly template: ReviewTemplate;
  /** The last review that fitted. */
  last: {
    readonly texts: HoleTexts;
    readonly request: AdmissionRequest;
    /** Only what comes again is worth answers that last. */
    answers: Map<string, KnownAnswer> | undefined;
  };
}

export class ReviewMemory {
  /** The one that fitted last comes first. */
  readonly #templates: KnownTemplate[] = [];
  readonly #candidates: Buffer[] = [];
  #nextCandidate = 0;
  #misses = 0;

  /** @throws SyntaxError for a body that is no JSON, StatusError for one that is no review */
  read(body: Uint8Array): RecalledReview {
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    if (bytes.length > MAX_SIZE) return { ...parse(bytes), answers: undefined };
    for (let index = 0; index < this.#templates.length; index++) {
      const known = this.#templates[index] as KnownTemplate;
      const texts = known.template.read(bytes);
      if (texts === undefined) continue;
      if (index > 0) this.#moveToFront(index);
      return recall(known, texts);
    }
    const { uid, request } = parse(bytes);
    const worthwhile = this.#misses < HOPEFUL || this.#misses % SAMPLE === 0;
    const learned = worthwhile ? this.#learn(bytes, request) : undefined;
    this.#misses = learned === undefined ? this.#misses + 1 : 0;
    return { uid, request, answers: learned?.last.answers };
  }

  #moveToFront(index: number): void {
    this.#templates.unshift(...this.#templates.splice(index, 1));
  }

  #learn(bytes: Buffer, request: AdmissionRequest): KnownTemplate | undefined {
    let learned: KnownTemplate | undefined;
    for (const candidate of this.#candidates) {
      const template = ReviewTemplate.learn(candidate, bytes);
      const texts = template?.read(bytes);
      if (template === undefined || texts === undefined) continue;
      // All but the uid was there before.
      const answers = texts.length === 1 ? new Map<string, KnownAnswer>() : undefined;
      learned = { template, last: { texts, request, answers } };
      this.#templates.unshift(learned);
      if (this.#templates.length > TEMPLATES) this.#templates.pop();
      break;
    }
    // The bytes belong to a larger piece of memory, which would stay along.
    this.#candidates[this.#nextCandidate] = Buffer.from(bytes);
    this.#nextCandidate = (this.#nextCandidate + 1) % CANDIDATES;
    return learned;
  }
}

function recall(known: KnownTemplate, texts: HoleTexts): RecalledReview {
  const { template, last } = known;
  const { uidHole } = template;
  const same = texts.every((text, index) => index === uidHole || text === last.texts[index]);
  if (same) {
    last.answers ??= new Map();
    return { uid: texts[uidHole] as string, request: last.request, answers: last.answers };
  }
  const { uid, request } = readReview(template.fill(texts));
  known.last = { texts, request, answers: undefined };
  return { uid, request, answers: undefined };
}

function parse(bytes: Buffer): ReadReview {
  return readReview(JSON.parse(bytes.toString("utf8")));
}
