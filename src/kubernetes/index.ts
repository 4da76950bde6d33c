/**
 * The Kubernetes objects we read and write.
 *
 * Manifests are YAML or JSON, several documents a file, Lists within. Reading never throws: every fault is a
 * problem with its file, document, line and column, and everything beside it stands.
 *
 * ```ts
 * import { formatProblem, readManifests } from "dray/kubernetes";
 *
 * const text = "{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: c, image: nginx}]}}";
 * const { pods, problems } = readManifests(text, { file: "web.yaml" });
 * pods[0].object.spec.containers[0].imagePullPolicy; // "Always", since no tag means latest
 * problems.map(formatProblem); // []
 * ```
 */
export { defaultPullPolicy, type DefaultPolicy, explainDefaultPolicy } from "./default-pull-policy.ts";
export { type ManifestProblem } from "./document-reader.ts";
export { type Container, type ContainerResources, type ImageVolume } from "./pod.ts";
export { type ObjectMetadata, type OtherObject, type Pod } from "./pod.ts";
export { type NamespaceObject, type SecretObject, type ServiceAccountObject } from "./secret.ts";
export { findImagePlaces, type ImagePlace, type ImagePlaces, replaceImages } from "./image-places.ts";
export { type PolicyPlace, type UnreadablePlace } from "./image-places.ts";
export { PULL_POLICIES, type PullPolicy, RESTART_POLICIES, type RestartPolicy } from "./pod.ts";
export { type Located, type Manifests, type ReadManifestsOptions } from "./read-manifests.ts";
export { formatProblem, readManifests } from "./read-manifests.ts";
export {
  formatApiVersion,
  type GroupVersionKind,
  type GroupVersionResource,
  type Json,
  type JsonObject,
  type KubernetesObject,
  type Metadata,
  type OwnerReference,
  parseApiVersion,
} from "./objects/object.ts";
export {
  API_RESOURCES,
  type ApiResource,
  findKind,
  findResource,
  type Subresource,
  type Verb,
} from "./objects/resources.ts";
export {
  alreadyExists,
  badRequest,
  conflict,
  failure,
  forbidden,
  invalid,
  notFound,
  type Status,
  type StatusCause,
  type StatusDetails,
  StatusError,
  type StatusReason,
  type Subject,
  unexplained,
} from "./objects/status.ts";
export { applyDefaults } from "./defaults/apply-defaults.ts";
export {
  type ApiCredential,
  type ApiCredentialSource,
  fixedCredential,
  type Impersonation,
} from "./client/authenticate.ts";
export { KubernetesClient, type KubernetesClientOptions, type ResourceName } from "./client/client.ts";
export { type Clock, systemClock } from "./client/clock.ts";
export {
  type ClusterConfig,
  type ClusterInfo,
  type ConnectedClient,
  connectToCluster,
} from "./client/cluster-config.ts";
export { KubernetesClientError, type KubernetesClientErrorCode } from "./client/errors.ts";
export {
  type CorrelatedEvent,
  EventCorrelator,
  type EventObject,
  type EventSource,
  type EventText,
  type Occurrence,
} from "./client/event-correlator.ts";
export {
  EventRecorder,
  type EventRecorderOptions,
  formatTime,
  referenceTo,
} from "./client/event-recorder.ts";
export { type InClusterOptions, isInCluster, loadInCluster } from "./client/in-cluster.ts";
export { Informer, type InformerOptions } from "./client/informer.ts";
export { type KubeconfigOptions, loadKubeconfig } from "./client/kubeconfig.ts";
export { type ListOptions, type ObjectList } from "./client/lists.ts";
export { type Change, ObjectCache, type ObjectIndex } from "./client/object-cache.ts";
export { isExpired, isRefusal } from "./client/refusal.ts";
export {
  type DeleteManyOptions,
  type DeleteOptions,
  type Patch,
  type PatchOptions,
  type PlaceOptions,
  ResourceClient,
  type WriteOptions,
} from "./client/resource-client.ts";
export {
  type ClientCertificate,
  HttpsTransport,
  type ServerTls,
  type Transport,
} from "./client/transport.ts";
export { type WatchEvent, type WatchOptions } from "./client/watch.ts";
export { type BoundObject, DEFAULT_ISSUER, issueServiceAccountToken } from "./service-account-token.ts";
export { type ServiceAccountSubject, type ServiceAccountToken } from "./service-account-token.ts";
export { type TokenOptions, type TokenRequest, usernameOf } from "./service-account-token.ts";
export { type VerifiedToken, verifyServiceAccountToken } from "./service-account-token.ts";
export { generateServiceAccountKey, openServiceAccountKey } from "./service-account-token-key.ts";
export { publicJwk, type ServiceAccountKey, ServiceAccountKeyError } from "./service-account-token-key.ts";
export { createJsonPatch } from "./patch/create-json-patch.ts";
export { formatGoValue } from "./patch/go-value.ts";
export { type ApplyOptions, applyServerSide, checkAppliedTypes } from "./patch/apply-server-side.ts";
export { applyJsonPatch, type JsonPatchOperation } from "./patch/json-patch.ts";
export { applyMergePatch } from "./patch/merge-patch.ts";
export { applyStrategicMergePatch } from "./patch/strategic-merge.ts";
export { type PatchType, readPatch, type ReadPatch } from "./patch/read-patch.ts";
export { ignoreTimestampsAlone, type ManagedFieldsOptions } from "./patch/track-managed-fields.ts";
export { trackManagedFields } from "./patch/track-managed-fields.ts";
export {
  type FieldSelector,
  matchesFields,
  parseFieldSelector,
  requiredValue,
} from "./selectors/field-selector.ts";
export {
  formatLabelSelector,
  type LabelSelector,
  matchesLabels,
  parseLabelSelector,
  readLabelSelector,
  selectsObject,
} from "./selectors/label-selector.ts";
export { convertToSchema, type Converted } from "./schema/convert.ts";
export { type DecodedObject, decodeObject, type DecodeObjectOptions } from "./schema/decode-object.ts";
export { type FieldValidation, MAX_BODY_BYTES } from "./schema/decode-object.ts";
export { openApiSchemas, type OpenApiSchema, referenceOf } from "./schema/openapi.ts";
export { canonicalQuantity } from "./schema/quantity.ts";
export { toJson } from "./schema/read-node.ts";
export { type Field, fieldAt, findSchema, type Schema, type SchemaKind } from "./schema/schema.ts";
export { DELETE_OPTIONS, type DecodeTarget, findTarget } from "./schema/targets.ts";
export { type QosClass, qosClassOf } from "./validation/qos-class.ts";
export { prepareForCreate, prepareForUpdate } from "./validation/prepare.ts";
export { validateCreate, validateUpdate } from "./validation/validate.ts";
export { findSecretFault } from "./secret-fault.ts";
export { warningsFor } from "./validation/warnings.ts";
export {
  createDockerRegistrySecret,
  createDockerRegistrySecretFromFiles,
  DEFAULT_DOCKER_SERVER,
  type DockerLogin,
  DockerRegistrySecretError,
  type DockerRegistrySecretErrorCode,
  type DockerRegistrySecretOptions,
  parseFileSource,
} from "./docker-registry-secret.ts";
