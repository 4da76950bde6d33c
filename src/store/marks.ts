import type { Digest } from "../oci/index.ts";
import type { BlobStore } from "./blob-store.ts";
import { type Links, readLinks } from "./documents.ts";
import type { CollectReason } from "./store.ts";

/**
 * What has to stay, and why. Grows only: a mark set in vain keeps something until the next collection, a mark
 * missed would break an image.
 */
export class Marks {
  readonly #blobs: BlobStore;
  readonly #signal: AbortSignal | undefined;
  readonly #reasons = new Map<Digest, CollectReason>();
  readonly #walked = new Set<Digest>();
  readonly #links = new Map<Digest, Links | undefined>();
  readonly #referrers = new Map<Digest, Set<Digest>>();

  constructor(blobs: BlobStore, signal?: AbortSignal) {
    this.#blobs = blobs;
    this.#signal = signal;
  }

  reasonFor(digest: Digest): CollectReason | undefined {
    return this.#reasons.get(digest);
  }

  /** Marks a document (or anything else) and all it leads to, referrers noted so far included. */
  async reach(root: Digest, reason: CollectReason): Promise<void> {
    const pending: { readonly digest: Digest; readonly reason: CollectReason; readonly leaf?: boolean }[] = [
      { digest: root, reason },
    ];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      this.#mark(next.digest, next.reason);
      // Reached as a layer before, it may now turn out to be a document as well.
      if (next.leaf === true || this.#walked.has(next.digest)) continue;
      const links = await this.linksOf(next.digest);
      if (links !== undefined) this.#walked.add(next.digest);
      for (const referrer of this.#referrers.get(next.digest) ?? []) {
        if (!this.#reasons.has(referrer)) pending.push({ digest: referrer, reason: "referrer" });
      }
      for (const digest of links?.leaves ?? []) pending.push({ digest, reason: next.reason, leaf: true });
      for (const digest of links?.documents ?? []) pending.push({ digest, reason: next.reason });
    }
  }

  #mark(digest: Digest, reason: CollectReason): void {
    if (!this.#reasons.has(digest)) this.#reasons.set(digest, reason);
  }

  /** Notes a blob that nothing has reached yet: if it refers to a subject, it stays as long as that one. */
  async consider(digest: Digest): Promise<void> {
    const subject = (await this.linksOf(digest))?.subject;
    if (subject === undefined) return;
    let referrers = this.#referrers.get(subject);
    if (referrers === undefined) this.#referrers.set(subject, (referrers = new Set()));
    referrers.add(digest);
    if (this.#reasons.has(subject)) await this.reach(digest, "referrer");
  }

  async linksOf(digest: Digest): Promise<Links | undefined> {
    if (this.#links.has(digest)) return this.#links.get(digest);
    this.#signal?.throwIfAborted();
    const links = await readLinks(this.#blobs, digest, this.#signal);
    // A blob that isn't here yet may be a document once it is.
    if (links !== undefined || (await this.#blobs.find(digest)) !== undefined) this.#links.set(digest, links);
    return links;
  }
}
