import type { Digest } from "../../oci/index.ts";
import type { BlobStore } from "../../store/index.ts";
import type { ManifestRecord, RegistryMetadata } from "../metadata.ts";
import { type Page, pages } from "../pages.ts";
import { readLinks, type CollectVerdict, type Tally } from "./collect.ts";
import type { Pace } from "./pace.ts";
import type { RetainVerdict } from "./retain.ts";
import type { Retention } from "./retention.ts";

/** What a repository loses after what a run takes from it, should nobody name or ask for it in time. */
export interface Foreseen {
  readonly manifests: number;
  readonly blobs: Tally;
}

export interface ForeseeScope {
  readonly blobs: BlobStore;
  readonly metadata: RegistryMetadata;
  readonly rules: (repository: string) => Retention | undefined;
  readonly pace: Pace;
}

/** What a dry run found to go from one repository. */
interface Going {
  readonly tags: Set<string>;
  readonly manifests: Set<Digest>;
  readonly blobs: Set<Digest>;
  /** Blobs that nothing names, but not for long enough. */
  readonly young: { count: number; bytes: number };
}

interface Kept {
  readonly targets: readonly Digest[];
  readonly subject: Digest | undefined;
}

/**
 * One run takes tags away, a later one the manifests that nothing else named, and again a later one their blobs. A dry
 * run that told of the first step alone would make rules look harmless; this works out where they lead. It reads whole
 * repositories, those with rules, and so is for dry runs alone.
 */
export class Foresight {
  readonly #going = new Map<string, Going>();

  note(verdict: CollectVerdict | RetainVerdict): void {
    if (verdict.kind === "content" || verdict.repository === undefined) return;
    if (verdict.keep && verdict.kind === "tag") return;
    const going = this.#of(verdict.repository);
    if (verdict.kind === "tag") going.tags.add(verdict.name);
    else if (verdict.kind === "manifest") going.manifests.add(verdict.digest);
    else if (!verdict.keep) going.blobs.add(verdict.digest);
    else {
      going.young.count++;
      going.young.bytes += verdict.size;
    }
  }

  /** By repository, those left out that lose nothing more. */
  async work(scope: ForeseeScope): Promise<ReadonlyMap<string, Foreseen>> {
    const foreseen = new Map<string, Foreseen>();
    const list = (page: Page): Promise<readonly string[]> => scope.metadata.listRepositories(page);
    for await (const name of pages(list, (one) => one)) {
      const rules = scope.rules(name);
      const going = this.#going.get(name);
      const young = { manifests: 0, blobs: going?.young ?? { count: 0, bytes: 0 } };
      const one = rules === undefined ? young : await foresee(scope, name, { rules, going: this.#of(name) });
      if (one.manifests + one.blobs.count > 0) foreseen.set(name, one);
      await scope.pace.step();
    }
    return foreseen;
  }

  #of(repository: string): Going {
    const known = this.#going.get(repository);
    if (known !== undefined) return known;
    const young = { count: 0, bytes: 0 };
    const going: Going = { tags: new Set(), manifests: new Set(), blobs: new Set(), young };
    this.#going.set(repository, going);
    return going;
  }
}

async function foresee(
  scope: ForeseeScope,
  repository: string,
  { rules, going }: { readonly rules: Retention; readonly going: Going },
): Promise<Foreseen> {
  const { metadata, pace } = scope;
  const { garbage } = metadata;
  const tagged = new Set<Digest>();
  const listTags = (page: Page) => garbage.listTagRecords(repository, page);
  for await (const { name, digest } of pages(listTags, (tag) => tag.name)) {
    if (!going.tags.has(name)) tagged.add(digest);
  }
  const kept = new Map<Digest, Kept>();
  const listManifests = (page: Page) => garbage.listManifests(repository, page);
  for await (const manifest of pages(listManifests, (one) => one.digest)) {
    if (!going.manifests.has(manifest.digest))
      kept.set(manifest.digest, await linksOf(scope, repository, manifest));
    await pace.step();
  }
  const before = kept.size;
  let named = new Set<Digest>();
  for (;;) {
    named = new Set([...kept.values()].flatMap(({ targets }) => targets));
    const leaving = [...kept].filter(([digest, { subject }]) => {
      if (tagged.has(digest) || named.has(digest)) return false;
      if (subject === undefined) return rules.untaggedAfter !== undefined;
      return rules.danglingAfter !== undefined && !kept.has(subject);
    });
    if (leaving.length === 0) break;
    for (const [digest] of leaving) kept.delete(digest);
    await pace.step();
  }
  const blobs = { count: 0, bytes: 0 };
  const listBlobs = (page: Page) => garbage.listBlobs(repository, page);
  for await (const { digest, size } of pages(listBlobs, (blob) => blob.digest)) {
    if (named.has(digest) || going.blobs.has(digest)) continue;
    blobs.count++;
    blobs.bytes += size;
  }
  return { manifests: before - kept.size, blobs };
}

async function linksOf(
  { blobs, metadata }: ForeseeScope,
  repository: string,
  manifest: ManifestRecord,
): Promise<Kept> {
  const noted = await metadata.garbage.findLinks(repository, manifest.digest);
  return noted ?? { targets: await readLinks(blobs, manifest), subject: undefined };
}
