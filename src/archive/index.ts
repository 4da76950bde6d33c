/**
 * Images in folders and files: OCI layouts, OCI archives, Docker archives. All of them are read as `ImageSource` and
 * written as `ImageSink`, so saving and loading are copying.
 *
 * ```text
 * folder                        a layout: oci-layout, index.json, blobs/<algorithm>/<hex>
 * file.tar[.gz|.zst]            an OCI archive: the same as a tar
 *                               a Docker archive: manifest.json, <config>.json, <id>/layer.tar
 * ```
 *
 * ```ts
 * await using archive = await openArchive("busybox.tar");
 * for (const { name, descriptor } of await archive.entries()) console.log(name, descriptor.digest);
 * ```
 */
export { type ArchiveDraft } from "./archive-draft.ts";
export { createDockerArchive, createOciArchive } from "./create-archive.ts";
export { type DockerArchive } from "./docker-archive.ts";
export { ArchiveError, type ArchiveErrorCode } from "./errors.ts";
export { type ArchiveEntry } from "./layout-index.ts";
export { type OciArchive } from "./oci-archive.ts";
export { type LayoutOptions, type OciLayout, openLayout } from "./oci-layout.ts";
export { openArchive, openDockerArchive, openOciArchive } from "./open-archive.ts";
export { type ArchiveInput, type ArchiveInputOptions } from "./tar-file.ts";
