/**
 * An image's layers made a folder of files.
 *
 * Layers are applied in order: what a later one says replaces, hides or joins what is there. Names never lead outside
 * the folder, whatever they say.
 */
export { applyLayer, FolderUnpacker, type AppliedLayer } from "./folder-unpacker.ts";
export { type FolderUnpackerOptions, type UnpackedFacts } from "./folder-unpacker.ts";
export { UnpackError, type UnpackErrorCode } from "./errors.ts";
export { parseTarTime } from "./tar-time.ts";
