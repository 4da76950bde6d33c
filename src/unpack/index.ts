/**
 * An image's layers made a folder of files, and folders' differences made layers.
 *
 * ```text
 * manifest ─► layers, several fetched at a time ─► verified ─► uncompressed ─► applied in order ─► folder
 *                                                                   └─► diff ID      into a hidden folder beside its
 *                                                                                    place, renamed in the end
 * ```
 *
 * What a later layer says replaces, hides or joins what is there. Names never lead outside the folder, whatever they
 * say and whatever links lie on the way. What this machine or user can't set is told in the end.
 *
 * ```ts
 * import { applyLayer } from "dray/unpack";
 * import { memoryStream } from "dray/oci";
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 *
 * const folder = mkdtempSync(join(tmpdir(), "unpacked-"));
 * const emptyTar = new Uint8Array(1024);
 * const { diffId, leftOut } = await applyLayer(memoryStream(emptyTar), folder);
 * ```
 */
export { type ChosenImage, type ChosenLayer, layersOf } from "./choose-manifest.ts";
export { applyLayer, FolderUnpacker, type AppliedLayer } from "./folder-unpacker.ts";
export { type FolderUnpackerOptions, type UnpackedFacts } from "./folder-unpacker.ts";
export { type LayerExpectation } from "./layer-stream.ts";
export { type LayerFacts } from "./layer-writer.ts";
export { diffFolders, type DiffFacts, type DiffFoldersOptions } from "./diff-folders.ts";
export { UnpackError, type UnpackErrorCode } from "./errors.ts";
export { formatLeftOut, type LeftOut } from "./left-out.ts";
export { type UnpackLimits } from "./limits.ts";
export { runUnpackThread, type ThreadData } from "./unpack-thread.ts";
export { parseTarTime } from "./tar-time.ts";
export { unpackImage, type UnpackedImage, type UnpackEvent } from "./unpack-image.ts";
export { type UnpackImageOptions } from "./unpack-image.ts";
export { type WhiteoutForm } from "./whiteout-writer.ts";
