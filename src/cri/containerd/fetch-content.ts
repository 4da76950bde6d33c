import { setTimeout as delay } from "node:timers/promises";

import { Code } from "@connectrpc/connect";

import { type ContentSource, type Descriptor, OciError, type WriteOptions } from "../../oci/index.ts";
import { isImageConfigType, isIndexType, isManifestType } from "../../oci/index.ts";
import type { ContainerdConnection } from "./connection.ts";
import type { ContainerdContent } from "./content.ts";
import { attempt, containerdError, isCode, isFull, unlessMissing } from "./failures.ts";
import { Ingest, type IngestOptions } from "./ingest.ts";
import type { Labels } from "./labels.ts";

export interface FetchOptions extends IngestOptions, Pick<WriteOptions, "onProgress" | "onAwaited"> {
  /** What the content gets when it becomes visible. */
  readonly labels: Labels;
}

/** Milliseconds between looks while somebody else writes the same content. */
const FIRST_WAIT = 10;
const LONGEST_WAIT = 500;

/** The name containerd's own pulls write content under, so that ours and theirs go on with each other's. */
export function ingestRef({ mediaType, digest }: Pick<Descriptor, "mediaType" | "digest">): string {
  if (isManifestType(mediaType)) return `manifest-${digest}`;
  if (isIndexType(mediaType)) return `index-${digest}`;
  return `${isImageConfigType(mediaType) ? "config" : "layer"}-${digest}`;
}

/**
 * Brings content into containerd's store, going on with what an earlier write left. containerd verifies it.
 *
 * @throws OciError `SIZE_INVALID` or `DIGEST_INVALID`, CriError, or the source's error
 */
export async function fetchContent(
  connection: ContainerdConnection,
  content: ContainerdContent,
  { descriptor, source }: { readonly descriptor: Descriptor; readonly source: ContentSource },
  options: FetchOptions,
): Promise<"written" | "exists"> {
  const { digest, size } = descriptor;
  const action = `write content ${JSON.stringify(digest)}`;
  const target = { ref: ingestRef(descriptor), digest, size };
  for (let wait = FIRST_WAIT; ; wait = Math.min(wait * 2, LONGEST_WAIT)) {
    if ((await content.info(digest, options)) !== undefined) return "exists";
    let resumed = false;
    try {
      await using ingest = await Ingest.open(connection, target, options);
      resumed = ingest.offset > 0;
      await fill(ingest, descriptor, source, options);
      await ingest.commit(options.labels);
      return "written";
    } catch (error) {
      options.signal?.throwIfAborted();
      if (isCode(error, Code.AlreadyExists)) return "exists";
      if (isLocked(error)) {
        options.onAwaited?.(await writtenBy(connection, target.ref, options));
        await delay(wait, undefined, { signal: options.signal });
        continue;
      }
      const wrong = wrongContent(error, digest);
      if (wrong === undefined) {
        const failure = containerdError(action, error);
        // What half fills a full disk would keep it full.
        if (isFull(failure)) await abort(connection, target.ref);
        throw failure;
      }
      await abort(connection, target.ref);
      // What an earlier write left may be at fault: then once more, from the start.
      if (!resumed) throw wrong;
    }
  }
}

async function fill(
  ingest: Ingest,
  descriptor: Descriptor,
  source: ContentSource,
  { signal, onProgress }: FetchOptions,
): Promise<void> {
  const { digest, size } = descriptor;
  if (ingest.offset > size) throw sizeError(digest, `it is longer than the ${size} bytes announced`);
  if (ingest.offset > 0) onProgress?.(ingest.offset);
  if (ingest.offset === size) return;
  const stream = await source.open(descriptor, { offset: ingest.offset, signal });
  try {
    await stream.pump((chunk) => {
      signal?.throwIfAborted();
      if (ingest.offset + chunk.length > size) {
        throw sizeError(digest, `it is longer than the ${size} bytes announced`);
      }
      const pending = ingest.write(chunk);
      onProgress?.(ingest.offset);
      return pending;
    });
  } finally {
    await stream.close();
  }
  if (ingest.offset < size) {
    throw sizeError(digest, `it ended after ${ingest.offset} of ${size} bytes`);
  }
}

/** What is wrong with the bytes themselves, if that is what failed. */
function wrongContent(error: unknown, digest: string): OciError | undefined {
  if (error instanceof OciError) return error.code === "SIZE_INVALID" ? error : undefined;
  if (!isCode(error, Code.FailedPrecondition)) return undefined;
  return new OciError(
    "DIGEST_INVALID",
    `Cannot accept content "${digest}": its bytes hash to something else`,
    { cause: error },
  );
}

/** How much whoever holds a name has written under it. */
async function writtenBy(
  connection: ContainerdConnection,
  ref: string,
  options: FetchOptions,
): Promise<number> {
  const answer = await attempt(
    `look for ingest ${JSON.stringify(ref)}`,
    unlessMissing(connection.content.status({ ref }, connection.call({ signal: options.signal }))),
  );
  return Number(answer?.status?.offset ?? 0n);
}

function isLocked(error: unknown): boolean {
  return isCode(error, Code.Unavailable) && /\blocked\b/.test((error as Error).message);
}

async function abort(connection: ContainerdConnection, ref: string): Promise<void> {
  await connection.content.abort({ ref }, connection.call()).catch(() => {});
}

function sizeError(digest: string, why: string): OciError {
  return new OciError("SIZE_INVALID", `Cannot accept content "${digest}": ${why}`);
}
