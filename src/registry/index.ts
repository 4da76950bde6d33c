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
 *
 * What nothing names any more goes while requests go on, and what the folder holds can be looked through:
 *
 * ```ts
 * const collection = { every: 3_600_000, retention: [{ repositories: ["ci/**"], keepLast: 10, untaggedAfter: 86_400_000 }] };
 * await using served = await serveRegistry({ dir: "/var/lib/dray/registry", collection });
 * const { collected } = await served.registry.collect({ dryRun: true, onVerdict: console.log });
 * const { left } = await checkRegistryDirectory("/var/lib/dray/registry", { repair: true });
 * ```
 */
export { accessBy, allowAll, type Access, type AccessControl, type Authorize } from "./access.ts";
export { type Decision, type LockedOut, type RepositoryView } from "./access.ts";
export { type AccessConfig, parseAccessConfig, type PolicyConfig } from "./access/config.ts";
export { proxiesOf, type TokensConfig, type TrustedConfig } from "./access/config.ts";
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
export { type CheckCode, checkRegistry, checkRegistryDirectory } from "./collect/check.ts";
export { type CheckOptions, type CheckResult, type CheckScope, type Finding } from "./collect/check.ts";
export { type CollectVerdict, type CollectGarbageResult, type Tally } from "./collect/collect.ts";
export { type CollectionSettings, type CollectOptions, type CollectResult } from "./collect/collector.ts";
export { type Foreseen } from "./collect/foresee.ts";
export { type Garbage, type Inventory, type Loose, type LooseKind } from "./collect/garbage.ts";
export { type LoosePage, type TagRecord, type Unshown } from "./collect/garbage.ts";
export { type ManifestVerdict, type RetainResult, type RetainVerdict } from "./collect/retain.ts";
export { openRetention, type Retention, type RetentionRule } from "./collect/retention.ts";
export { type RetentionState, type TagVerdict } from "./collect/retention.ts";
export { type AccessSettings, type AuditSettings, type EndpointSettings } from "./config/config.ts";
export { type ListenSettings, type LogSettings, type MetricsSettings } from "./config/config.ts";
export { type LimitsSettings, type RegistrySettings, type StorageSettings } from "./config/config.ts";
export { type TlsFiles } from "./config/config.ts";
export { defaultSettings, parseRegistryConfig, readAccessFile } from "./config/read-config.ts";
export { readRegistryConfig } from "./config/read-config.ts";
export { type TagPush } from "./context.ts";
export { ACCESS_FILE, openRegistryDirectory, type RegistryDirectoryOptions } from "./directory.ts";
export { RegistryError, type RegistryErrorCode } from "./errors.ts";
export { type LimitRule, type LimitsConfig, type Quota, type QuotaFault } from "./limits.ts";
export { type SharedQuota } from "./limits.ts";
export { type BlobLink, type BlobLinks, type ManifestRecord, type Manifests } from "./metadata.ts";
export { type DeleteManifestOptions, type FindOptions, type FoundManifest } from "./metadata.ts";
export { type NewManifest, type Page, type PutManifestOptions, type PutManifestOutcome } from "./metadata.ts";
export { type QuotaOptions } from "./metadata.ts";
export { type ReferrersPage, type RegistryMetadata, type Upload, type Uploads } from "./metadata.ts";
export { findMirrorFaults, type MirrorConfig, mirroredBy, parseMirrorConfig } from "./mirror/config.ts";
export { type CredentialsConfig, type TlsConfig, type UpstreamConfig } from "./mirror/config.ts";
export { type UpstreamSettings } from "./mirror/config.ts";
export { type MirrorEvent, type MirrorEventListener } from "./mirror/events.ts";
export { MIRROR_FILE, openMirror, type Mirror, type OpenMirrorOptions } from "./mirror/open.ts";
export { type TagsPage, type Upstream, type UpstreamBlob, type UpstreamCaller } from "./mirror/upstream.ts";
export { UpstreamError, type UpstreamErrorCode, type UpstreamErrorOptions } from "./mirror/upstream.ts";
export { type UpstreamManifest, type UpstreamQuery } from "./mirror/upstream.ts";
export { type Answered } from "./node-http.ts";
export { matchRepositories } from "./operations/match-repositories.ts";
export { type AuditNote } from "./operations/audit-log.ts";
export { exportDockerLayout, type ExportOptions } from "./operations/docker-layout/export.ts";
export { type LayoutFault, type LayoutResult, type LayoutSource } from "./operations/docker-layout/export.ts";
export { importDockerLayout, type ImportOptions } from "./operations/docker-layout/import.ts";
export { type LayoutTarget } from "./operations/docker-layout/import.ts";
export { type Exchange, type Observer } from "./operations/exchange.ts";
export { type NotificationEvent } from "./operations/notifications/event.ts";
export { checkEndpointFiles } from "./operations/notifications/open-endpoint.ts";
export { type DeadEvent, NotificationQueue, type QueueTally } from "./operations/notifications/queue.ts";
export { NOTIFICATIONS_FILE, openOperations, type OpenOperationsOptions } from "./operations/open.ts";
export { type Operations } from "./operations/open.ts";
export { DURATION_BUCKETS, type RequestCount, type UnderWay } from "./operations/statistics.ts";
export { SwitchableAccess } from "./operations/switchable-access.ts";
export { readUsage, type RegistryUsage, type RepositoryUsage } from "./operations/usage.ts";
export { openRegistry, type Registry, type RegistryOptions } from "./registry.ts";
export { RequestAborted, type RegistryRequest, type RegistryResponse } from "./request.ts";
export { type RequestBody, type ResponseStream } from "./request.ts";
export { type RegistryRules } from "./rules.ts";
export { serveRegistry, type ListenOptions, type ServedRegistry } from "./serve.ts";
export { type ServeRegistryOptions } from "./serve.ts";
export { openSqliteMetadata, type SqliteMetadata, type SqliteMetadataOptions } from "./sqlite-metadata.ts";
export { type TenantDelivery, type TenantLogin, type TenantLogins } from "./tenants/delivery.ts";
export { guardTenants, type GuardOptions, TenantMemory } from "./tenants/guard.ts";
export { type TenantUsage, hasImages, measureTenant } from "./tenants/images.ts";
export { type DeleteTenantOptions, deleteTenant, undoTenant } from "./tenants/remove.ts";
export { createTenant, getTenant, rotateTenant, setTenantQuota } from "./tenants/renew.ts";
export { type RenewOptions, type TenantDraft, type TenantStores } from "./tenants/renew.ts";
export { openSqliteTenantStore, TENANTS_FILE } from "./tenants/sqlite-store.ts";
export { listTenants, type TenantStore } from "./tenants/store.ts";
export { checkTenantName, type TenantChange, type TenantCluster } from "./tenants/tenant.ts";
export { type TenantNamespace, type TenantQuota, type TenantRecord } from "./tenants/tenant.ts";
export { tenantRobot, type TenantUse, usesOf } from "./tenants/tenant.ts";
