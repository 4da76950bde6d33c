/**
 * Ensure, pull, keep and collect images on one node.
 *
 * ```ts
 * import { ImageManager, StoreRuntime } from "dray/images";
 *
 * const runtime = new StoreRuntime({ store, registry: (reference) => client.repository(reference), platform });
 * const manager = new ImageManager({ runtime, now: Date.now });
 * const outcome = await manager.ensure({ image: "busybox", policy: "IfNotPresent", podUid: "1" });
 * if (outcome.state === "failed") console.log(outcome.reason, outcome.message);
 * ```
 */
export { BackOff, type BackOffOptions } from "./back-off.ts";
export { decidePull, needsPresence, type PullDecision, type PullPolicy } from "./decide-pull.ts";
export { ImagesError, type ImagesErrorCode } from "./errors.ts";
export { ImageManager, type EnsureOutcome, type EnsureRequest, type FailureReason } from "./image-manager.ts";
export { type ImageEvent, type ImageManagerOptions } from "./image-manager.ts";
export { applyDefaultImageTag, parseImageName } from "./image-name.ts";
export { type ImageRuntime, type PullProgress, type RuntimeImage } from "./image-runtime.ts";
export { type RuntimePullOptions } from "./image-runtime.ts";
export { type ImageFacts, inspectImage } from "./inspect-image.ts";
export { countBytes, objectOf, StoreRuntime, type StoreRuntimeOptions } from "./store-runtime.ts";
export { type AllowlistPattern, parseAllowlistPattern } from "./allowlist-pattern.ts";
export { type BackOffState, PullBackOff, type PullBackOffOptions } from "./pull-back-off.ts";
export { trimImageTagDigest } from "./trim-image.ts";
export {
  type Allowlist,
  isAllowlisted,
  makeVerificationPolicy,
  parseAllowlist,
} from "./verification-policy.ts";
export { VERIFICATION_POLICIES, type VerificationPolicy } from "./verification-policy.ts";
export { type VerificationPolicyName, type VerificationVerdict } from "./verification-policy.ts";
export { aggregateMessage } from "./aggregate-message.ts";
export { imageSizeBucket, METRICS, type MetricSink, PULL_DURATION_BUCKETS } from "./metrics.ts";
export { CachedPullRecords, type CachedPullRecordsOptions } from "./pull-records/cached-pull-records.ts";
export { cacheSizes } from "./pull-records/cached-pull-records.ts";
export { CachedShelf, type CachedShelfOptions } from "./pull-records/cached-shelf.ts";
export { type AccessDecision, type AccessReason, type AccessResult } from "./pull-records/decide-access.ts";
export { type CredentialsWanted, decideByCredentials } from "./pull-records/decide-access.ts";
export { decideWithoutCredentials, type PodCredentials } from "./pull-records/decide-access.ts";
export { FilePullRecords, type FilePullRecordsOptions } from "./pull-records/file-pull-records.ts";
export { isRecordFile, recordFileName } from "./pull-records/file-shelf.ts";
export { type Merged, mergeIntoRecord, mergeServiceAccounts } from "./pull-records/merge.ts";
export { type ListedNames, PullManager, type PullManagerOptions } from "./pull-records/pull-manager.ts";
export { type ImagePullCredentials, type ImagePulledRecord } from "./pull-records/record.ts";
export { type ImagePullIntent, type ImagePullSecret } from "./pull-records/record.ts";
export { type ImagePullServiceAccount } from "./pull-records/record.ts";
export { type Listing, type PullRecords, type RecordShelf } from "./pull-records/record-shelf.ts";
export { decodeIntent, decodePulledRecord, encodeIntent } from "./pull-records/record-text.ts";
export { type Decoded, encodePulledRecord } from "./pull-records/record-text.ts";
export { formatSize } from "./garbage/format-size.ts";
export { checkGcPolicy, DEFAULT_GC_POLICY, type GcPolicy, isCollectionOff } from "./garbage/gc-policy.ts";
export { type Freed, ImageCollector, type ImageCollectorOptions } from "./garbage/image-collector.ts";
export { type NodeEvent, type PostGcHook } from "./garbage/image-collector.ts";
export { type ImageRecord, NEVER, type UsedImage } from "./garbage/image-records.ts";
export { type Candidate, type DiskNeed, type GcVerdict, type KeepReason } from "./garbage/judge-image.ts";
export { type CollectionPlan, planCollection, type PlannedImage } from "./garbage/plan-collection.ts";
export { type Annotation, type ImageFileSystem, type ImageService } from "./image-service.ts";
export { type ImageSpec, type RuntimeAuth, type ServiceCallOptions } from "./image-service.ts";
export { type ServiceImage, type ServicePullOptions } from "./image-service.ts";
