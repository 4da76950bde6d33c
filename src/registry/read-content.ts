import type { BlobStore } from "../store/index.ts";
import type { ManifestRecord } from "./metadata.ts";

/** A whole document out of the store; `undefined` when it isn't there. */
export async function readContent(blobs: BlobStore, record: ManifestRecord): Promise<Buffer | undefined> {
  if ((await blobs.find(record.digest)) === undefined) return undefined;
  const stream = await blobs.open(record);
  const body = Buffer.allocUnsafeSlow(record.size);
  let size = 0;
  try {
    await stream.pump((chunk) => {
      body.set(chunk, size);
      size += chunk.length;
    });
  } finally {
    await stream.close();
  }
  return body;
}
