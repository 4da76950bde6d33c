import type { ContentStream } from "../oci/index.ts";
import { type AttributeHelper, type HelperKind, startHelper } from "./attribute-helper.ts";
import { FolderTree } from "./folder-tree.ts";
import { LayerApplier } from "./layer-applier.ts";
import { type LayerExpectation, streamLayer } from "./layer-stream.ts";
import { type LayerFacts, LayerWriter, type PlainExpectation } from "./layer-writer.ts";
import { type LeftOut, LeftOutList } from "./left-out.ts";
import { LimitGuard, type UnpackLimits } from "./limits.ts";
import { LowerFolders } from "./lower-folders.ts";
import { opaqueKey } from "./overlay-signs.ts";
import { currentPowers, type Powers } from "./ownership.ts";
import { assertSuitable } from "./suitable-folder.ts";
import type { WhiteoutForm } from "./whiteout-writer.ts";

export interface FolderUnpackerOptions {
  readonly limits?: UnpackLimits | undefined;
  /** Whether entries get the owners they name, as far as this process may; true by default. */
  readonly sameOwner?: boolean | undefined;
  /**
   * Lower layers in folders of their own, the uppermost first: folders a layer passes through get their attributes
   * from there, and links may lead there.
   */
  readonly below?: readonly string[] | undefined;
  /** What becomes of markers of removal; `remove` by default. */
  readonly whiteouts?: WhiteoutForm | undefined;
  /** Whether writing may hold up this thread, as is right for one that does nothing else; false by default. */
  readonly blocking?: boolean | undefined;
  /** Which programs may help with devices and attributes; each kind by default. For tests. */
  readonly helpers?: readonly HelperKind[] | undefined;
}

export interface UnpackedFacts {
  readonly entries: number;
  /** Bytes of files, holes included. */
  readonly fileBytes: number;
  readonly leftOut: readonly LeftOut[];
}

/**
 * A folder that layers are applied to, bottom first:
 *
 * ```text
 * open ─► apply ─► apply ─► … ─► finish ─► close
 * ```
 *
 * After a failure the folder holds part of something and is to be thrown away.
 */
export class FolderUnpacker implements AsyncDisposable {
  readonly #tree: FolderTree;
  readonly #limits: LimitGuard;
  readonly #applier: LayerApplier;
  readonly #leftOut = new LeftOutList();
  readonly #lower: LowerFolders | undefined;
  readonly #helpers: readonly HelperKind[] | undefined;
  #helper: AttributeHelper | undefined;
  #started = false;

  /**
   * @param folder exists; what is in it counts as lower layers
   * @throws UnpackError `FOLDER_UNSUITABLE`
   */
  constructor(folder: string, options: FolderUnpackerOptions = {}) {
    assertSuitable(folder);
    const powers: Powers = currentPowers();
    const sameOwner = options.sameOwner ?? true;
    const helper = (): AttributeHelper | undefined => this.#startHelper();
    this.#helpers = options.helpers;
    this.#limits = new LimitGuard(options.limits);
    const { depth } = this.#limits;
    const owners = powers.privileged && sameOwner;
    if (options.below !== undefined) {
      const lowerOptions = { depth, opaqueKey: opaqueKey(powers), owners, helper };
      this.#lower = new LowerFolders(options.below, lowerOptions);
    }
    const lower = this.#lower;
    const linkBelow = lower && ((path: readonly string[]): string | undefined => lower.link(path));
    this.#tree = new FolderTree(folder, {
      depth,
      privileged: powers.privileged,
      linkBelow,
      hidden: () => this.#applier.hidden,
    });
    this.#applier = new LayerApplier({
      tree: this.#tree,
      limits: this.#limits,
      powers,
      sameOwner,
      leftOut: this.#leftOut,
      helper,
      lower,
      whiteouts: options.whiteouts ?? "remove",
      blocking: options.blocking === true,
    });
  }

  /**
   * Applies the next layer, compressed or not. Its stream is closed.
   *
   * @throws UnpackError, OciError `SIZE_INVALID` or `DIGEST_INVALID`, or the stream's error
   */
  async apply(stream: ContentStream, expected: LayerExpectation = {}): Promise<LayerFacts> {
    const layer = this.begin(expected);
    await streamLayer(stream, { layer, limits: this.#limits }, expected);
    return layer.end();
  }

  /** Begins the next layer, for whoever has verified and uncompressed it elsewhere. */
  begin(expected: PlainExpectation = {}): LayerWriter {
    return new LayerWriter(this.#applier, expected);
  }

  /** Sets what has to be set last: the folders' times, and modes that would have kept us out. */
  finish(): UnpackedFacts {
    this.#tree.finish();
    return {
      entries: this.#limits.entries,
      fileBytes: this.#limits.fileBytes,
      leftOut: this.#leftOut.list(),
    };
  }

  /** Harmless when called twice. */
  async close(): Promise<void> {
    this.#applier.close();
    this.#lower?.close();
    this.#tree.close();
    const helper = this.#helper;
    this.#helper = undefined;
    await helper?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #startHelper(): AttributeHelper | undefined {
    if (!this.#started) this.#helper = startHelper(this.#helpers);
    this.#started = true;
    return this.#helper;
  }
}

export interface AppliedLayer extends LayerFacts, UnpackedFacts {}

/**
 * Applies one layer to a folder, which then is one layer more: what a store of snapshots needs.
 *
 * @throws UnpackError, OciError `SIZE_INVALID` or `DIGEST_INVALID`, or the stream's error; the folder then holds part of
 *   the layer and is to be thrown away
 */
export async function applyLayer(
  stream: ContentStream,
  folder: string,
  options: FolderUnpackerOptions & LayerExpectation = {},
): Promise<AppliedLayer> {
  await using unpacker = new FolderUnpacker(folder, options);
  const facts = await unpacker.apply(stream, options);
  return { ...facts, ...unpacker.finish() };
}
