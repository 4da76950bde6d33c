/**
 * Images made from files: a folder, on top of a base image or of nothing.
 *
 * ```text
 * context ──copy rules, .dockerignore──► files at their places ──sorted, same times and owners──► tar ──► diff ID
 *                                                                                   └─gzip, zstd──► layer
 * base's layers + layer, base's config + options ──► config ──► manifest ──► sink
 * ```
 *
 * ```ts
 * const to = await openLayout("out", { create: true });
 * const config = { entrypoint: ["/hello"] };
 * const { descriptor } = await buildImage({ context: "rootfs", config, to, as: "hello:1" });
 * ```
 */
export { type BaseOptions } from "./base-image.ts";
export { buildImage, type BuildOptions, type BuildResult } from "./build-image.ts";
export { buildIndex, type IndexOptions } from "./build-index.ts";
export { BuildError, type BuildErrorCode } from "./errors.ts";
export { type BuildWarning, type CopyRule } from "./file-tree.ts";
export { type Owner } from "./layer.ts";
export { type MediaFamily } from "./media-family.ts";
export { type ImageSettings } from "./settings.ts";
