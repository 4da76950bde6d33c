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
 *
 * What the kubelet decides is decided here by pure functions whose results hold their reasons: {@link decidePull},
 * {@link decideWithoutCredentials}, {@link decideByCredentials}, {@link planCollection}.
 */
export { type AllowlistPattern, parseAllowlistPattern } from "./allowlist-pattern.ts";
export { BackOff, type BackOffOptions, type BackOffState } from "./back-off.ts";
export { classifyPullError, type FailureReason, type KnownReason } from "./classify-pull-error.ts";
export { type ApiContainerState, type ApiContainerStatus } from "./container-state/container-statuses.ts";
export { containerStatuses, type PreviousStatus } from "./container-state/container-statuses.ts";
export { type RestartPolicy, type RunningState } from "./container-state/container-statuses.ts";
export { type RuntimeContainer, type StatusFacts } from "./container-state/container-statuses.ts";
export { type TerminatedState, type WaitingState } from "./container-state/container-statuses.ts";
export { logsError } from "./container-state/logs-error.ts";
export { type StartError, StartErrors } from "./container-state/start-errors.ts";
export { ByteRate, type ByteRateOptions } from "./byte-rate.ts";
export { checkPulledRef, checkStatus, type CriImageSpec, describeRpcError } from "./cri-service.ts";
export { fromCriSpec, type SpecOptions, toCriSpec } from "./cri-service.ts";
export { decidePull, needsPresence, type PullDecision, type PullPolicy } from "./decide-pull.ts";
export { type BudgetLimit, decideDiskBudget, type DiskBudget, type DiskBudgetFacts } from "./disk-budget.ts";
export { type EnsureFailure, type EnsureOutcome, type EnsurePod, type EnsureRequest } from "./ensure.ts";
export { type EnsureSuccess, type ImageEvent } from "./ensure.ts";
export { type EstimatedContent, estimatePull, type PullEstimate } from "./estimate-pull.ts";
export { ImagesError, type ImagesErrorCode } from "./errors.ts";
export { type CollectionLoopOptions, runCollection } from "./garbage/collection-loop.ts";
export { formatSize } from "./garbage/format-size.ts";
export { checkGcPolicy, DEFAULT_GC_POLICY, type GcPolicy, isCollectionOff } from "./garbage/gc-policy.ts";
export { type Freed, ImageCollector, type ImageCollectorOptions } from "./garbage/image-collector.ts";
export { type NodeEvent, type PostGcHook } from "./garbage/image-collector.ts";
export { ImageListCache } from "./garbage/image-list-cache.ts";
export { type ImageRecord, NEVER, type UsedImage } from "./garbage/image-records.ts";
export { type Candidate, type DiskNeed, type GcVerdict, type KeepReason } from "./garbage/judge-image.ts";
export { type CollectionPlan, planCollection, type PlannedImage } from "./garbage/plan-collection.ts";
export { type AccessKeeper, ImageManager, type ImageManagerOptions } from "./image-manager.ts";
export { applyDefaultImageTag, parseImageName } from "./image-name.ts";
export {
  type ContentProgress,
  type ImageRuntime,
  type PulledImage,
  type PullProgress,
} from "./image-runtime.ts";
export { type RuntimeImage, type RuntimePullOptions, type SpecParts } from "./image-runtime.ts";
export { type Annotation, type ImageFileSystem, type ImageService, type ImageSpec } from "./image-service.ts";
export { type ServiceCallOptions, type ServiceImage, type ServicePullOptions } from "./image-service.ts";
export { type ContainerImageVolumes, ensureImageVolumes, type ImageVolume } from "./image-volumes.ts";
export { imageVolumesOf, type VolumeImage, type VolumeResult, type VolumeResults } from "./image-volumes.ts";
export { type ImageFacts, inspectImage } from "./inspect-image.ts";
export { type FailureCause, type FailureDetail, judgeFailure } from "./judge-failure.ts";
export { gcPolicyOf, pullLimits, verificationPolicyOf } from "./kubelet-config/apply-image-config.ts";
export { DEFAULT_GATES, defaultImageConfig, type GivenImageConfig } from "./kubelet-config/image-config.ts";
export { IMAGE_FLAGS, type ImageConfig, type ImageGates } from "./kubelet-config/image-config.ts";
export { type KubeletDocument, parseKubeletConfig } from "./kubelet-config/parse-kubelet-config.ts";
export { checkImageConfig, findConfigFaults } from "./kubelet-config/validate-image-config.ts";
export { imageSizeBucket, METRICS, type MetricSink, PULL_DURATION_BUCKETS } from "./metrics.ts";
export { findNodeStatusImages, type NodeStatusImage, nodeStatusImages } from "./node-status-images.ts";
export { SharedOperations, type Waiter } from "./shared-operations.ts";
export { sortBySize } from "./node-status-images.ts";
export { type ImagePin, PinFolder, pinName } from "./pin-folder.ts";
export { type NodeKeyring, recordCredential, showCredentials } from "./pod-credentials.ts";
export { PullBoard, type PullBoardOptions, type PullListener, type PullPhase } from "./pull-board.ts";
export { type PullReport, type PullTicket } from "./pull-board.ts";
export { type PullOrder, type PullRank } from "./pull-queue.ts";
export { CachedPullRecords, type CachedPullRecordsOptions } from "./pull-records/cached-pull-records.ts";
export { cacheSizes } from "./pull-records/cached-pull-records.ts";
export { CachedShelf, type CachedShelfOptions } from "./pull-records/cached-shelf.ts";
export { type AccessDecision, type AccessReason, type AccessResult } from "./pull-records/decide-access.ts";
export { type CredentialsWanted, decideByCredentials } from "./pull-records/decide-access.ts";
export { decideWithoutCredentials, type PodCredentials } from "./pull-records/decide-access.ts";
export { FilePullRecords, type FilePullRecordsOptions } from "./pull-records/file-pull-records.ts";
export { isRecordFile, recordFileName } from "./pull-records/file-shelf.ts";
export { type Merged, mergeIntoRecord, mergeServiceAccounts } from "./pull-records/merge.ts";
export { openPullManager, type OpenPullManagerOptions } from "./pull-records/open-pull-manager.ts";
export { type ListedNames, PullManager, type PullManagerOptions } from "./pull-records/pull-manager.ts";
export { type Listing, type PullRecords, type RecordShelf } from "./pull-records/record-shelf.ts";
export { type Decoded, decodeIntent, decodePulledRecord, encodeIntent } from "./pull-records/record-text.ts";
export { encodePulledRecord } from "./pull-records/record-text.ts";
export { type ImagePullCredentials, type ImagePulledRecord } from "./pull-records/record.ts";
export { type ImagePullIntent, type ImagePullSecret } from "./pull-records/record.ts";
export { type ImagePullServiceAccount } from "./pull-records/record.ts";
export { type CredentialsChange, type FailedPull } from "./recall.ts";
export { ServiceRuntime } from "./service-runtime.ts";
export { listStoreImages, StoreImages, type StoreImagesOptions } from "./store-images.ts";
export { countBytes, objectOf, type RuntimeStore, StoreRuntime } from "./store-runtime.ts";
export { type StoreRuntimeOptions } from "./store-runtime.ts";
export { trimImageTagDigest } from "./trim-image.ts";
export { tryCredentials } from "./try-credentials.ts";
export { type Allowlist, isAllowlisted, makeVerificationPolicy } from "./verification-policy.ts";
export { parseAllowlist, VERIFICATION_POLICIES, type VerificationPolicy } from "./verification-policy.ts";
export { type VerificationPolicyName, type VerificationVerdict } from "./verification-policy.ts";
