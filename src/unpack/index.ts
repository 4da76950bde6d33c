/**
 * An image's layers made a folder of files.
 *
 * Layers are applied in order: what a later one says replaces, hides or joins what is there. Names never lead outside
 * the folder, whatever they say.
 */
export { parseTarTime } from "./tar-time.ts";
