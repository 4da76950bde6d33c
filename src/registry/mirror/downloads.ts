import { OciError, type Digest } from "../../oci/index.ts";
import { Download } from "./download.ts";
import type { Asked } from "./asked.ts";
import type { RegistryContext } from "../context.ts";
import type { MirrorBlobsOptions } from "./blobs.ts";
import { UpstreamError, type UpstreamBlob } from "./upstream.ts";

type Places = Pick<RegistryContext, "blobs" | "metadata">;

interface Running {
  readonly download: Download;
  /** Repositories that will show the blob, by their names here. */
  readonly repositories: Set<string>;
}

/** Blobs on their way here: one download for all who want the same one. */
export class Downloads {
  readonly #options: MirrorBlobsOptions;
  readonly #running = new Map<Digest, Running>();
  #closed = false;

  constructor(options: MirrorBlobsOptions) {
    this.#options = options;
  }

  find(digest: Digest): Download | undefined {
    return this.#running.get(digest)?.download;
  }

  /** Whether it comes for this repository already. */
  isFor(local: string, digest: Digest): boolean {
    return this.#running.get(digest)?.repositories.has(local) ?? false;
  }

  /**
   * The download of a blob, begun if nobody did; take a seat at once. That this repository may have it is settled,
   * but for content that turns out to be in the store: then `vouch` is asked.
   */
  join(asked: Asked, blob: UpstreamBlob, vouch: () => Promise<void>): Download {
    const { local } = asked.place;
    const running = this.#running.get(blob.digest) ?? this.#begin(asked, blob, vouch);
    running.repositories.add(local);
    return running.download;
  }

  /** Ends them all and waits; what came is kept for the next time. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { download } of this.#running.values()) download.abandon();
    await Promise.all([...this.#running.values()].map(({ download }) => download.ended));
  }

  #begin({ context, place, admitted }: Asked, blob: UpstreamBlob, vouch: () => Promise<void>): Running {
    const { state, space, onEvent, onFailure } = this.#options;
    const { digest, size } = blob;
    const { local, remote, settings, upstream } = place;
    const repositories = new Set([local]);
    const download = new Download({
      digest,
      size,
      blobs: context.blobs,
      name: `${settings.registry}/${remote}`,
      finish: settings.finish,
      vouch,
      onFailed: (error) => {
        onEvent({ type: "failed", repository: local, reference: digest, error });
        // A full disk, say: nobody elsewhere is to blame.
        if (!(error instanceof UpstreamError)) onFailure(error);
      },
      open: (offset, signal) => {
        return admitted.asking(() => upstream.openBlob({ ...admitted.query, signal }, blob, offset));
      },
      expect: () => context.metadata.garbage.expectContent(digest),
      keep: async (fetched) => {
        for (const repository of repositories) {
          await context.metadata.linkBlob(repository, blob);
          await this.#confirm(context, repository, digest);
          state.useBlob(repository, digest, size);
        }
        onEvent({ type: "fetched", repository: local, digest, ...fetched });
        space.makeRoom(context);
      },
    });
    const running = { download, repositories };
    this.#running.set(digest, running);
    if (this.#closed) download.abandon();
    void download.ended.then(() => this.#running.delete(digest));
    return running;
  }

  /** A collection may have been faster than the link; touched once it is shown, the blob is safe from any other. */
  async #confirm({ blobs, metadata }: Places, repository: string, digest: Digest): Promise<void> {
    if ((await blobs.find(digest, { touch: true })) !== undefined) return;
    await metadata.unlinkBlob(repository, digest);
    throw new OciError("BLOB_UNKNOWN", `Cannot keep blob "${digest}": it was collected as it came`);
  }
}
