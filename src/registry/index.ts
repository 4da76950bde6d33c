/**
 * The distribution protocol, served from a store.
 *
 * ```ts
 * await using served = await serveRegistry({ dir: "/var/lib/dray/registry", port: 5000 });
 * console.log(`crane push image.tar ${served.address}:${served.port}/app:1.0`);
 * ```
 *
 * A request goes from {@link serveRegistry}'s socket, or from `fetch()` without one, through `handle()`:
 *
 * ```text
 * path ─► route ─► authorize() ─► handler ─┬─► RegistryMetadata   who may see what, tags, referrers, uploads
 *                                          └─► BlobStore          the bytes
 * ```
 *
 * Bytes are shared by all repositories and visible only through a repository that links them.
 */
export { allowAll, type Access, type Authorize, type Decision } from "./access.ts";
export { type TagPush } from "./context.ts";
export { openRegistryDirectory, type RegistryDirectoryOptions } from "./directory.ts";
export { RegistryError, type RegistryErrorCode } from "./errors.ts";
export { type BlobLink, type BlobLinks, type ManifestRecord, type Manifests } from "./metadata.ts";
export { type NewManifest, type Page, type PutManifestOptions, type PutManifestOutcome } from "./metadata.ts";
export { type ReferrersPage, type RegistryMetadata, type Upload, type Uploads } from "./metadata.ts";
export { type Answered } from "./node-http.ts";
export { openRegistry, type Registry, type RegistryOptions } from "./registry.ts";
export { RequestAborted, type RegistryRequest, type RegistryResponse } from "./request.ts";
export { type RequestBody, type ResponseStream } from "./request.ts";
export { serveRegistry, type ListenOptions, type ServedRegistry } from "./serve.ts";
export { type ServeRegistryOptions } from "./serve.ts";
export { openSqliteMetadata, type SqliteMetadata, type SqliteMetadataOptions } from "./sqlite-metadata.ts";
