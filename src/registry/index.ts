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
 * path ─► route ─► AccessControl ─► handler ─┬─► RegistryMetadata   who may see what, tags, referrers, uploads
 *                                            └─► BlobStore          the bytes
 * ```
 *
 * Bytes are shared by all repositories and visible only through a repository that links them. Who may do what is
 * said by a configuration ({@link AccessConfig}); users come from htpasswd files, robots are made here:
 *
 * ```ts
 * const access = { policies: [{ repositories: ["team/**"], actions: ["pull"], subjects: ["robot:ci"] }], tokens: {} };
 * await using served = await serveRegistry({ dir: "/var/lib/dray/registry", access });
 * await using store = openSqliteAccessStore(`/var/lib/dray/registry/${ACCESS_FILE}`);
 * const { login, secret } = await createRobot(store, "ci");
 * ```
 */
export { accessBy, allowAll, type Access, type AccessControl, type Authorize } from "./access.ts";
export { type Decision, type RepositoryView } from "./access.ts";
export { type AccessConfig, parseAccessConfig, type PolicyConfig } from "./access/config.ts";
export { type TokensConfig, type TrustedConfig } from "./access/config.ts";
export { type LoginFailed } from "./access/logins.ts";
export { openAccess, type OpenAccessOptions } from "./access/open.ts";
export { createRobot, deleteRobot, ROBOT_PREFIX, rotateRobot, type RobotLogin } from "./access/robots.ts";
export { type RobotOptions, type RotateOptions } from "./access/robots.ts";
export { openSqliteAccessStore } from "./access/sqlite-store.ts";
export { type AccessStore, type NamePage, type RefreshTokenRecord, type RobotGrant } from "./access/store.ts";
export {
  type RobotRecord,
  type RobotSecret,
  type SigningKeyRecord,
  type UserRecord,
} from "./access/store.ts";
export { deleteUser, putUser, type UserOptions } from "./access/users.ts";
export { type TagPush } from "./context.ts";
export { ACCESS_FILE, openRegistryDirectory, type RegistryDirectoryOptions } from "./directory.ts";
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
