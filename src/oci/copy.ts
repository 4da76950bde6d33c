/**
 * Pull, push, mirror, save and load: an image goes from a place that has it to one that wants it.
 *
 * ```text
 * resolve name → read documents → blobs, several at once → manifests → indexes → root → name
 * ```
 *
 * Whatever a document refers to is there before the document is, and the name moves last, so nobody ever finds an
 * image with parts missing. Documents are written with the very bytes they came with.
 */
import {
  type ContentSource,
  type ImageSink,
  type ImageSource,
  type SignalOptions,
  type WriteOutcome,
} from "./content.ts";
import { planCopy } from "./copy-plan.ts";
import { type Descriptor } from "./descriptor.ts";
import { forEachLimited } from "./for-each-limited.ts";
import { hostPlatformMatcher, type PlatformMatcher } from "./match-platform.ts";
import { type Platform } from "./platform.ts";

/** One thing that happened to one content. Found come first, and every found content is done in the end. */
export type CopyEvent =
  | { readonly type: "found"; readonly descriptor: Descriptor }
  /** `bytes` are there so far, also those of an earlier, interrupted copy. */
  | { readonly type: "progress"; readonly descriptor: Descriptor; readonly bytes: number }
  /** Somebody else writes this content, and has `bytes` of it; they are waited for. */
  | { readonly type: "awaited"; readonly descriptor: Descriptor; readonly bytes: number }
  | { readonly type: "done"; readonly descriptor: Descriptor; readonly outcome: WriteOutcome | "skipped" };

export interface CopyOptions extends SignalOptions {
  readonly to: ImageSink;
  /** The name at the destination; without one, only the content is brought. */
  readonly as?: string | undefined;
  /** Which image to take out of an index; all of them by default. */
  readonly platform?: Platform | PlatformMatcher | undefined;
  /**
   * What becomes of the index a platform is chosen from: `keep` brings it beside the one image, which is what a node
   * keeps; `drop` brings that image alone, which is what a registry accepts. `keep` by default.
   */
  readonly index?: "keep" | "drop" | undefined;
  /** Contents under way at a time; 3 by default. */
  readonly concurrency?: number | undefined;
  /** Whether to bring layers, too, that aren't for distribution. */
  readonly foreignLayers?: boolean | undefined;
  readonly onEvent?: ((event: CopyEvent) => void) | undefined;
}

export interface CopyResult {
  /** What the name now stands for. */
  readonly descriptor: Descriptor;
  /** The image that was chosen, or copied alone; `undefined` for an index with all its images. */
  readonly manifest: Descriptor | undefined;
  /** Contents that had to be transferred. */
  readonly written: number;
  /** Their bytes, as their descriptors state them. */
  readonly writtenBytes: number;
}

/**
 * Copies what `reference` names at a source.
 *
 * @throws OciError `PLATFORM_UNKNOWN`, `MANIFEST_INVALID`, `MANIFEST_UNSUPPORTED`, `SIZE_INVALID`, `DIGEST_INVALID`,
 *   or the error of either side. What was written until then stays, unnamed.
 */
export async function copy(from: ImageSource, reference: string, options: CopyOptions): Promise<CopyResult> {
  const root = await from.resolve(reference, { signal: options.signal });
  return await copyContent(from, root, options);
}

/** {@link copy} for a root that is known by descriptor. */
export async function copyContent(
  from: ContentSource,
  root: Descriptor,
  options: CopyOptions,
): Promise<CopyResult> {
  const { to, as, signal, onEvent, concurrency = 3 } = options;
  const plan = await planCopy(from, root, {
    signal,
    concurrency,
    matcher: matcherOf(options.platform),
    dropIndex: options.index === "drop",
    foreignLayers: options.foreignLayers === true,
  });
  const total = { written: 0, writtenBytes: 0 };
  const finish = (descriptor: Descriptor, outcome: WriteOutcome | "skipped"): void => {
    if (outcome === "written") {
      total.written++;
      total.writtenBytes += descriptor.size;
    }
    onEvent?.({ type: "done", descriptor, outcome });
  };
  const writeFrom = (source: ContentSource) => async (descriptor: Descriptor, stop: AbortSignal) => {
    const tell = (type: "progress" | "awaited") =>
      onEvent && ((bytes: number): void => onEvent({ type, descriptor, bytes }));
    const listeners = { onProgress: tell("progress"), onAwaited: tell("awaited") };
    finish(descriptor, await to.write(descriptor, source, { signal: stop, ...listeners }));
  };

  const documents = plan.groups.flat();
  for (const descriptor of [...plan.skipped, ...plan.blobs, ...documents])
    onEvent?.({ type: "found", descriptor });
  for (const descriptor of plan.skipped) finish(descriptor, "skipped");
  // Blobs come from the source itself: a sink may know it, and have a registry mount what it has already.
  await forEachLimited(largestFirst(plan.blobs), { signal, concurrency }, writeFrom(from));
  const tagWrites = as !== undefined && to.tagWrites === true && documents.includes(plan.root);
  for (const group of plan.groups) {
    const pending = tagWrites ? group.filter((descriptor) => descriptor !== plan.root) : group;
    await forEachLimited(pending, { signal, concurrency }, writeFrom(plan.source));
  }
  if (as !== undefined) await to.tag(plan.root, as, { signal, source: plan.source });
  if (tagWrites) finish(plan.root, "written");
  return { descriptor: plan.root, manifest: plan.manifest, ...total };
}

/** A large layer begun last would leave the other connections idle while it ends. */
function largestFirst(blobs: readonly Descriptor[]): readonly Descriptor[] {
  return blobs.toSorted((a, b) => b.size - a.size);
}

function matcherOf(platform: Platform | PlatformMatcher | undefined): PlatformMatcher | undefined {
  return platform === undefined || "matches" in platform ? platform : hostPlatformMatcher(platform);
}
