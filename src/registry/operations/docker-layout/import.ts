import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import { FileContent, openRegularFile } from "../../../internal/file-content.ts";
import { isDigest, isRepositoryName, isTag, MAX_DOCUMENT_SIZE, OciError } from "../../../oci/index.ts";
import type { ContentSource, Digest } from "../../../oci/index.ts";
import type { BlobStore } from "../../../store/index.ts";
import { readPushedDocument, type PushedDocument } from "../../document.ts";
import { RegistryError } from "../../errors.ts";
import type { NewManifest, PutManifestOutcome, RegistryMetadata } from "../../metadata.ts";
import type { LayoutFault, LayoutResult } from "./export.ts";
import { blobPath, ROOT } from "./paths.ts";

export interface ImportOptions {
  /** Which repositories; all by default. */
  readonly matches?: ((repository: string) => boolean) | undefined;
  /** Take manifests whose parts aren't there, too; no by default. */
  readonly sparse?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told when a repository is here. */
  readonly onRepository?: ((name: string) => void) | undefined;
}

export interface LayoutTarget {
  readonly blobs: BlobStore;
  readonly metadata: RegistryMetadata;
}

/**
 * Takes the content of a docker-registry's folder into a registry, which may be serving meanwhile. Every byte is
 * verified; what is not what its digest says, and manifests whose parts are missing, are left out and told. What is
 * here already stays, so that an import that was interrupted goes on.
 *
 * @throws RegistryError `CONFIG_INVALID` for a folder that is none
 */
export async function importDockerLayout(
  target: LayoutTarget,
  folder: string,
  options: ImportOptions = {},
): Promise<LayoutResult> {
  const reader = new LayoutReader(target, await findRoot(folder), options);
  await reader.readAll();
  return reader.result;
}

interface Revision {
  readonly digest: Digest;
  readonly manifest: NewManifest;
  readonly document: PushedDocument;
}

class LayoutReader {
  readonly #target: LayoutTarget;
  readonly #root: string;
  readonly #options: ImportOptions;
  /** Sizes of what was taken. */
  readonly #taken = new Map<Digest, number>();
  readonly #faults: LayoutFault[] = [];
  readonly #counts = { repositories: 0, manifests: 0, tags: 0 };

  constructor(target: LayoutTarget, root: string, options: ImportOptions) {
    this.#target = target;
    this.#root = root;
    this.#options = options;
  }

  get result(): LayoutResult {
    const bytes = [...this.#taken.values()].reduce((sum, size) => sum + size, 0);
    return { ...this.#counts, blobs: this.#taken.size, bytes, faults: this.#faults };
  }

  async readAll(): Promise<void> {
    const { matches, onRepository, signal } = this.#options;
    for await (const name of this.#findRepositories("")) {
      signal?.throwIfAborted();
      if (matches?.(name) === false) continue;
      if (!isRepositoryName(name)) {
        this.#faults.push({ repository: name, what: "the name", why: "it is no name of a repository" });
        continue;
      }
      await this.#readRepository(name);
      onRepository?.(name);
    }
  }

  /** Names contain slashes, and a repository may lie within another. */
  async *#findRepositories(name: string): AsyncGenerator<string, void> {
    const children = await listFolder(join(this.#root, "repositories", name));
    if (children.includes("_manifests") || children.includes("_layers")) yield name;
    for (const child of children) {
      if (!child.startsWith("_") && !child.startsWith(".")) {
        yield* this.#findRepositories(name === "" ? child : `${name}/${child}`);
      }
    }
  }

  async #readRepository(name: string): Promise<void> {
    const { metadata } = this.#target;
    const folder = join(this.#root, "repositories", name);
    this.#counts.repositories++;
    for await (const digest of this.#readLinks(name, join(folder, "_layers"))) {
      const size = await this.#takeBlob(name, digest);
      if (size !== undefined) await metadata.linkBlob(name, { digest, size });
    }
    const tags = await this.#readTags(name, join(folder, "_manifests", "tags"));
    const revisions: Revision[] = [];
    for await (const digest of this.#readLinks(name, join(folder, "_manifests", "revisions"))) {
      const revision = await this.#readRevision(name, digest);
      if (revision !== undefined) revisions.push(revision);
    }
    await this.#putAll(name, revisions, tags);
    for (const [digest, names] of tags) {
      const why = `there is no manifest ${digest} that could be taken`;
      for (const tag of names) this.#faults.push({ repository: name, what: `tag ${tag}`, why });
    }
  }

  /** An index comes after what it lists, whatever the order of digests. Tags that were set leave `tags`. */
  async #putAll(name: string, revisions: readonly Revision[], tags: Map<Digest, string[]>): Promise<void> {
    let left = revisions;
    for (;;) {
      const missing: { readonly revision: Revision; readonly digests: readonly Digest[] }[] = [];
      for (const revision of left) {
        this.#options.signal?.throwIfAborted();
        const outcome = await this.#put(name, revision, tags);
        if (outcome.kind === "missing") missing.push({ revision, digests: outcome.digests });
        if (outcome.kind !== "stored") continue;
        this.#counts.manifests++;
        this.#counts.tags += tags.get(revision.digest)?.length ?? 0;
        tags.delete(revision.digest);
      }
      if (missing.length === left.length || missing.length === 0) {
        for (const { revision, digests } of missing) {
          const why = `it names content that is not there: ${digests.join(", ")}`;
          this.#faults.push({ repository: name, what: `manifest ${revision.digest}`, why });
        }
        return;
      }
      left = missing.map(({ revision }) => revision);
    }
  }

  /** With its tags, those left out that stand for something else here: that was pushed after what is left there. */
  async #put(name: string, revision: Revision, tags: Map<Digest, string[]>): Promise<PutManifestOutcome> {
    const { document, manifest, digest } = revision;
    const { sparse = false } = this.#options;
    for (;;) {
      const names = tags.get(digest) ?? [];
      const outcome = await this.#target.metadata.putManifest(name, manifest, {
        tags: names,
        immutable: names,
        blobs: sparse ? [] : document.blobs,
        manifests: sparse ? [] : document.manifests,
        // With layers that may lie elsewhere: those that are here are kept by this alone.
        links: document.links,
      });
      if (outcome.kind !== "immutable") return outcome;
      const { tag } = outcome;
      const rest = names.filter((one) => one !== tag);
      tags.set(digest, rest);
      const why = "it is here already and stands for another manifest, which stays";
      this.#faults.push({ repository: name, what: `tag ${tag}`, why });
    }
  }

  async #readRevision(name: string, digest: Digest): Promise<Revision | undefined> {
    const size = await this.#takeBlob(name, digest);
    if (size === undefined) return undefined;
    try {
      if (size > MAX_DOCUMENT_SIZE) throw new OciError("MANIFEST_INVALID", "it is too large");
      const bytes = await readFile(blobPath(this.#root, digest));
      const document = readPushedDocument(bytes, undefined, MAX_DOCUMENT_SIZE);
      if ("fault" in document) throw new OciError("MANIFEST_INVALID", document.fault);
      const { mediaType, subject, described } = document;
      const record = { digest, mediaType, size };
      const referrer = subject && { subject, descriptor: { ...record, ...described } };
      return { digest, document, manifest: { ...record, ...(referrer && { referrer }) } };
    } catch (error) {
      if (!(error instanceof OciError)) throw error;
      this.#faults.push({ repository: name, what: `manifest ${digest}`, why: error.message });
      return undefined;
    }
  }

  /** Its size, once its bytes are here and verified. */
  async #takeBlob(repository: string, digest: Digest): Promise<number | undefined> {
    const known = this.#taken.get(digest);
    if (known !== undefined) return known;
    this.#options.signal?.throwIfAborted();
    const path = blobPath(this.#root, digest);
    const { blobs, metadata } = this.#target;
    try {
      const { size } = await stat(path);
      // Should we end before anything shows it, it is found as garbage.
      await metadata.garbage.expectContent(digest);
      await blobs.write({ digest, size, mediaType: "application/octet-stream" }, fileSource(path));
      this.#taken.set(digest, size);
      return size;
    } catch (error) {
      const gone = (error as NodeJS.ErrnoException).code === "ENOENT";
      if (!gone && !(error instanceof OciError)) throw error;
      const why = gone ? "its bytes are not there" : "its bytes are not what its digest says";
      this.#faults.push({ repository, what: digest, why });
      return undefined;
    }
  }

  async #readTags(name: string, folder: string): Promise<Map<Digest, string[]>> {
    const tags = new Map<Digest, string[]>();
    for (const tag of await listFolder(folder)) {
      const digest = await readLink(join(folder, tag, "current", "link"));
      if (digest === undefined) continue;
      if (!isTag(tag) || !isDigest(digest)) {
        const why = isTag(tag) ? "its link holds no digest" : "it is no tag";
        this.#faults.push({ repository: name, what: `tag ${tag}`, why });
        continue;
      }
      tags.set(digest, [...(tags.get(digest) ?? []), tag]);
    }
    return tags;
  }

  /** Folders stay behind when what they stood for is deleted; their link doesn't. */
  async *#readLinks(repository: string, folder: string): AsyncGenerator<Digest, void> {
    for (const algorithm of await listFolder(folder)) {
      for (const hex of await listFolder(join(folder, algorithm))) {
        const link = await readLink(join(folder, algorithm, hex, "link"));
        if (link === undefined) continue;
        if (isDigest(link)) yield link;
        else this.#faults.push({ repository, what: `${algorithm}:${hex}`, why: "its link holds no digest" });
      }
    }
  }
}

/** The folder as a whole, or the part of it that counts. */
async function findRoot(folder: string): Promise<string> {
  for (const root of [join(folder, ROOT), folder]) {
    if ((await listFolder(root)).includes("repositories")) return root;
  }
  throw new RegistryError(
    "CONFIG_INVALID",
    `Cannot import ${JSON.stringify(folder)}: it is no docker-registry's folder, which has ${ROOT}/repositories`,
  );
}

function fileSource(path: string): ContentSource {
  return {
    async open(_, { offset = 0, signal } = {}) {
      const { handle } = await openRegularFile(path);
      return new FileContent(handle, { position: offset, signal });
    },
  };
}

/** Sorted, so that an import does the same each time. */
async function listFolder(path: string): Promise<readonly string[]> {
  try {
    return (await readdir(path)).toSorted();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw error;
  }
}

async function readLink(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, "utf8")).trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}
