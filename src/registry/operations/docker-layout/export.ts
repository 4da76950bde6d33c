import { createHash, randomUUID } from "node:crypto";
import { open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

import { syncFolder, writeFileAtomically } from "../../../internal/atomic-write.ts";
import { writeFully } from "../../../internal/file-content.ts";
import { makeFolder } from "../../../internal/make-folder.ts";
import { digestAlgorithm, type Digest } from "../../../oci/index.ts";
import type { BlobStore } from "../../../store/index.ts";
import type { RegistryMetadata } from "../../metadata.ts";
import { pages } from "../../pages.ts";
import { blobPath, layerLink, revisionLink, ROOT, tagLinks } from "./paths.ts";

export interface LayoutSource {
  readonly blobs: BlobStore;
  readonly metadata: RegistryMetadata;
}

export interface ExportOptions {
  /** Which repositories; all by default. */
  readonly matches?: ((repository: string) => boolean) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told when a repository is written. */
  readonly onRepository?: ((name: string) => void) | undefined;
}

/** What couldn't be taken along, and why. */
export interface LayoutFault {
  readonly repository: string;
  readonly what: string;
  readonly why: string;
}

export interface LayoutResult {
  readonly repositories: number;
  readonly manifests: number;
  readonly tags: number;
  /** Of blobs and manifests, each once. */
  readonly blobs: number;
  readonly bytes: number;
  readonly faults: readonly LayoutFault[];
}

/**
 * Writes a registry's content into a folder that docker-registry serves. What is there already stays, so that an
 * export that was interrupted goes on; every byte that is written was verified.
 */
export async function exportDockerLayout(
  source: LayoutSource,
  folder: string,
  options: ExportOptions = {},
): Promise<LayoutResult> {
  const writer = new LayoutWriter(source, join(folder, ROOT));
  for await (const name of pages(
    (page) => source.metadata.listRepositories(page),
    (one) => one,
  )) {
    options.signal?.throwIfAborted();
    if (options.matches?.(name) === false) continue;
    await writer.writeRepository(name, options.signal);
    options.onRepository?.(name);
  }
  return writer.result;
}

class LayoutWriter {
  readonly #source: LayoutSource;
  readonly #root: string;
  readonly #written = new Set<Digest>();
  readonly #faults: LayoutFault[] = [];
  readonly #counts = { repositories: 0, manifests: 0, tags: 0, bytes: 0 };

  constructor(source: LayoutSource, root: string) {
    this.#source = source;
    this.#root = root;
  }

  get result(): LayoutResult {
    return { ...this.#counts, blobs: this.#written.size, faults: this.#faults };
  }

  async writeRepository(name: string, signal: AbortSignal | undefined): Promise<void> {
    const { garbage } = this.#source.metadata;
    const root = this.#root;
    this.#counts.repositories++;
    for await (const blob of pages(
      (page) => garbage.listBlobs(name, page),
      ({ digest }) => digest,
    )) {
      signal?.throwIfAborted();
      if (await this.#writeBlob(name, blob)) await writeLink(layerLink(root, name, blob.digest), blob.digest);
    }
    const manifests = new Set<Digest>();
    for await (const one of pages(
      (page) => garbage.listManifests(name, page),
      ({ digest }) => digest,
    )) {
      signal?.throwIfAborted();
      if (!(await this.#writeBlob(name, one))) continue;
      await writeLink(revisionLink(root, name, one.digest), one.digest);
      manifests.add(one.digest);
      this.#counts.manifests++;
    }
    // Tags last: whoever serves the folder meanwhile never sees one that leads nowhere.
    for await (const tag of pages(
      (page) => garbage.listTagRecords(name, page),
      (one) => one.name,
    )) {
      if (!manifests.has(tag.digest)) continue;
      for (const path of tagLinks(root, name, tag)) await writeLink(path, tag.digest);
      this.#counts.tags++;
    }
  }

  /** Whether it is there now. */
  async #writeBlob(
    repository: string,
    blob: { readonly digest: Digest; readonly size: number },
  ): Promise<boolean> {
    if (this.#written.has(blob.digest)) return true;
    const path = blobPath(this.#root, blob.digest);
    const why = (await sizeOf(path)) === blob.size ? undefined : await this.#copy(blob, path);
    if (why !== undefined) {
      this.#faults.push({ repository, what: blob.digest, why });
      return false;
    }
    this.#written.add(blob.digest);
    this.#counts.bytes += blob.size;
    return true;
  }

  async #copy(
    blob: { readonly digest: Digest; readonly size: number },
    path: string,
  ): Promise<string | undefined> {
    const { blobs } = this.#source;
    if ((await blobs.find(blob.digest)) === undefined) return "its bytes are not in the store";
    const folder = dirname(path);
    makeFolder(folder);
    const draft = join(folder, `.data.${randomUUID()}`);
    const hash = createHash(digestAlgorithm(blob.digest));
    try {
      const file = await open(draft, "wx", 0o644);
      try {
        const stream = await blobs.open({ ...blob, mediaType: "application/octet-stream" });
        let position = 0;
        try {
          await stream.pump(async (chunk) => {
            hash.update(chunk);
            await writeFully(file, chunk, position);
            position += chunk.length;
          });
        } finally {
          await stream.close();
        }
        await file.sync();
      } finally {
        await file.close();
      }
      if (`${digestAlgorithm(blob.digest)}:${hash.digest("hex")}` !== blob.digest) {
        return "its bytes are not what its digest says";
      }
      await rename(draft, path);
      await syncFolder(folder);
      return undefined;
    } finally {
      await rm(draft, { force: true });
    }
  }
}

async function writeLink(path: string, digest: Digest): Promise<void> {
  if ((await sizeOf(path)) === digest.length && !path.endsWith("/current/link")) return;
  makeFolder(dirname(path));
  await writeFileAtomically(path, digest);
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
