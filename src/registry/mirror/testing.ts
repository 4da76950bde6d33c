/** An upstream in memory, and a registry that mirrors it: what the tests of this folder share. */
import { digestOf, type ContentStream, type Descriptor, type Digest } from "../../oci/index.ts";
import { MemoryBlobStore, type BlobStore } from "../../store/index.ts";
import { openRegistry, type Registry } from "../registry.ts";
import { openSqliteMetadata, type SqliteMetadata } from "../sqlite-metadata.ts";
import type { UpstreamConfig } from "./config.ts";
import type { MirrorEvent } from "./events.ts";
import { openMirror, type Mirror } from "./open.ts";
import { UpstreamError, type Upstream, type UpstreamBlob, type UpstreamManifest } from "./upstream.ts";

/** Blobs whose bytes come when a test says so. */
export class MemoryUpstream implements Upstream {
  readonly blobs: Map<Digest, Buffer> = new Map();
  /** Offsets of what was opened. */
  readonly opened: number[] = [];
  /** How often it was asked whether a blob is there. */
  heads = 0;
  /** Resolves when the stream that was opened last is closed. */
  closed: Promise<void> = Promise.resolve();
  /** Waited for before every piece but the first one. */
  more: Promise<void> = Promise.resolve();
  /** Bytes of a piece. */
  piece = 1_000;

  add(bytes: Buffer): Digest {
    const digest = digestOf(bytes);
    this.blobs.set(digest, bytes);
    return digest;
  }

  headManifest(): Promise<Descriptor> {
    return Promise.reject(new UpstreamError("MANIFEST_UNKNOWN", "There are only blobs here"));
  }

  openManifest(): Promise<UpstreamManifest> {
    return Promise.reject(new UpstreamError("MANIFEST_UNKNOWN", "There are only blobs here"));
  }

  headBlob(_query: unknown, digest: Digest): Promise<UpstreamBlob> {
    this.heads++;
    const bytes = this.blobs.get(digest);
    return bytes === undefined
      ? Promise.reject(new UpstreamError("BLOB_UNKNOWN", "No such blob"))
      : Promise.resolve({ digest, size: bytes.length });
  }

  async openBlob(
    { signal }: { readonly signal?: AbortSignal | undefined },
    { digest }: UpstreamBlob,
    offset: number,
  ): Promise<ContentStream> {
    await Promise.resolve();
    const bytes = this.blobs.get(digest);
    if (bytes === undefined) throw new UpstreamError("BLOB_UNKNOWN", "No such blob");
    this.opened.push(offset);
    const closed = Promise.withResolvers<void>();
    this.closed = closed.promise;
    const aborted = new Promise<never>((_resolve, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason as Error));
    });
    aborted.catch(() => {});
    return {
      pump: async (consume) => {
        for (let at = offset; at < bytes.length; at += this.piece) {
          if (at > offset) await Promise.race([this.more, aborted]);
          await consume(bytes.subarray(at, at + this.piece));
        }
      },
      close: () => {
        closed.resolve();
        return Promise.resolve();
      },
    };
  }

  listTags(): Promise<readonly string[]> {
    return Promise.resolve([]);
  }

  listReferrers(): Promise<readonly Descriptor[]> {
    return Promise.resolve([]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

export interface TestMirror extends AsyncDisposable {
  readonly registry: Registry;
  readonly mirror: Mirror;
  readonly metadata: SqliteMetadata;
  readonly events: MirrorEvent[];
  readonly failures: unknown[];
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Response>;
}

/** Everything below `hub/` is the upstream's. */
export async function openTestMirror(
  upstream: Upstream,
  options: { readonly blobs?: BlobStore; readonly settings?: Partial<UpstreamConfig> } = {},
): Promise<TestMirror> {
  const events: MirrorEvent[] = [];
  const failures: unknown[] = [];
  const metadata = openSqliteMetadata(":memory:");
  const onFailure = (error: unknown): void => void failures.push(error);
  const config = { upstreams: [{ registry: "r.example", prefix: "hub", ...options.settings }] };
  const mirror = await openMirror(config, {
    open: () => upstream,
    onEvent: (event) => void events.push(event),
    onFailure,
  });
  const blobs = options.blobs ?? new MemoryBlobStore();
  const registry = openRegistry({ blobs, metadata, mirror, onFailure });
  return {
    registry,
    mirror,
    metadata,
    events,
    failures,
    get: (path, headers = {}) => registry.fetch(new Request(`http://mirror${path}`, { headers })),
    async [Symbol.asyncDispose]() {
      await registry.close();
      await metadata[Symbol.asyncDispose]();
    },
  };
}
