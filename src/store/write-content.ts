import { setTimeout as delay } from "node:timers/promises";

import { type ContentSource, type Descriptor, OciError } from "../oci/index.ts";
import type { WriteOptions, WriteOutcome } from "../oci/index.ts";
import type { BlobStore, Ingest } from "./blob-store.ts";
import { StoreError } from "./errors.ts";
import type { SharedWrites } from "./shared-writes.ts";
import { sizeError, tooLongError, verifySize } from "./verify.ts";

/** Milliseconds between looks while somebody else writes the same content. */
const FIRST_WAIT = 5;
const LONGEST_WAIT = 250;

/** Brings content into a store unless it is there, in one transfer with everybody else who wants it now. */
export async function writeOnce(
  store: BlobStore,
  content: { readonly descriptor: Descriptor; readonly source: ContentSource },
  { sharing, ...options }: WriteOptions & { readonly sharing: SharedWrites },
): Promise<WriteOutcome> {
  const { descriptor, source } = content;
  if (await isThere(store, descriptor)) return "exists";
  return sharing.write(
    { digest: descriptor.digest, source },
    (shared) => writeContent(store, content, shared),
    options,
  );
}

/** Brings content into a store through an ingest named after its digest, continuing what an earlier writer left. */
async function writeContent(
  store: BlobStore,
  content: { readonly descriptor: Descriptor; readonly source: ContentSource },
  options: WriteOptions,
): Promise<WriteOutcome> {
  const { descriptor } = content;
  for (let fresh = false; ; fresh = true) {
    const ingest = await begin(store, descriptor, options);
    if (ingest === undefined) return "exists";
    const resumed = ingest.offset > 0;
    try {
      if (fresh) await ingest.truncate(0);
      await fill(ingest, content, options);
      await ingest.commit(descriptor);
      return "written";
    } catch (error) {
      if (!isWrongContent(error)) {
        await (ingest.offset > 0 ? ingest.close() : ingest.abort());
        throw error;
      }
      await ingest.abort();
      // What an earlier writer left may be at fault: a power cut can leave holes in it. Then once more, from the start.
      if (!resumed || fresh) throw error;
    }
  }
}

/** The ingest, or `undefined` once the blob is there. Waits while somebody else is writing it. */
async function begin(
  store: BlobStore,
  descriptor: Descriptor,
  { signal, onAwaited }: WriteOptions,
): Promise<Ingest | undefined> {
  const { digest } = descriptor;
  for (let wait = FIRST_WAIT; ; wait = Math.min(wait * 2, LONGEST_WAIT)) {
    if (await isThere(store, descriptor)) return undefined;
    try {
      const algorithm = digest.slice(0, digest.indexOf(":")) as "sha256";
      const ingest = await store.ingest(digest, { algorithms: [algorithm], signal });
      // Whoever held the ingest may have committed it after we looked; then everything would be fetched once more.
      let there = true;
      try {
        there = await isThere(store, descriptor);
      } finally {
        if (there) await ingest.abort();
      }
      return there ? undefined : ingest;
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== "INGEST_BUSY") throw error;
    }
    if (onAwaited !== undefined) onAwaited((await store.findIngest(digest))?.offset ?? 0);
    await delay(wait, undefined, signal === undefined ? {} : { signal }).catch((error: unknown) => {
      signal?.throwIfAborted();
      throw error;
    });
  }
}

async function isThere(store: BlobStore, descriptor: Descriptor): Promise<boolean> {
  const existing = await store.find(descriptor.digest, { touch: true });
  if (existing !== undefined) verifySize(descriptor, existing.size);
  return existing !== undefined;
}

async function fill(
  ingest: Ingest,
  content: { readonly descriptor: Descriptor; readonly source: ContentSource },
  { signal, onProgress }: WriteOptions,
): Promise<void> {
  const { digest, size } = content.descriptor;
  if (ingest.offset > size) throw tooLongError(digest, size);
  if (ingest.offset > 0) onProgress?.(ingest.offset);
  if (ingest.offset === size) return;
  const stream = await content.source.open(content.descriptor, { offset: ingest.offset, signal });
  try {
    await stream.pump((chunk) => {
      signal?.throwIfAborted();
      if (ingest.offset + chunk.length > size) throw tooLongError(digest, size);
      const pending = ingest.write(chunk);
      onProgress?.(ingest.offset);
      return pending;
    });
  } finally {
    await stream.close();
  }
  if (ingest.offset < size) throw sizeError(digest, size, ingest.offset);
}

function isWrongContent(error: unknown): boolean {
  return error instanceof OciError && (error.code === "DIGEST_INVALID" || error.code === "SIZE_INVALID");
}
