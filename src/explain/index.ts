/**
 * Why an image was or was not pulled: what a node does with a Pod's images, replayed by the very functions that do it,
 * with their effects turned off. Every rule, source, request and answer comes back as a value, with the causes found.
 *
 * ```text
 * Situation (objects, nodes, files) ─► explain() ─► Explanation: what was seen, and the Findings in it
 * ```
 *
 * Registries are asked for manifests, configs and tokens, or for nothing without `send`; layers stay where they are.
 *
 * ```ts
 * import { CAUSES } from "dray/explain";
 *
 * console.log(CAUSES.TAG_MISSING.title); // There is no such tag
 * ```
 */
export { explain, type ExplainOptions } from "./explain.ts";
export { type Cause } from "./causes/cause.ts";
export { explanationSchema, type SchemaNode } from "./schema.ts";
export { type CauseExample, type CausePage, formatCausePages } from "./causes/format-pages.ts";
export { CAUSE_CODES, type CauseCode, CAUSES, pageOf } from "./causes/codes.ts";
export {
  type AccessTrace,
  type AccountTrace,
  type AdmissionTrace,
  type Advice,
  type AttemptTrace,
  type ChallengeTrace,
  type ConditionTrace,
  type ContentTrace,
  type CredentialSourceTrace,
  type CredentialsTrace,
  type EntryTrace,
  type ErrorTrace,
  type EventTrace,
  type ExchangeTrace,
  type Explanation,
  type Finding,
  type HostTrace,
  type ImageTrace,
  type LayerTrace,
  type NameTrace,
  type NodeTrace,
  type ObservedTrace,
  type OutcomeTrace,
  type PlannedRequest,
  type PodTrace,
  type PolicyTrace,
  type PresenceTrace,
  type ProviderRunTrace,
  type SlotTrace,
  type Subject,
  type TriedCredential,
} from "./trace.ts";
export type { NodeSources } from "./replay/node-sources.ts";
export { ProviderRuns } from "./replay/provider-runs.ts";
export type { NodeProviders } from "./replay/traced-providers.ts";
export { TokenRequests, type TokenVerdict } from "./replay/token-requests.ts";
export { GivenObjects, type GivenObjectsOptions, isKubernetesObject } from "./world/given-objects.ts";
export { ListedImages, type ListedImage, type ListedImagesOptions } from "./world/listed-images.ts";
export { readCrictlImages, readNodeImages } from "./world/listed-images.ts";
export { isImageReason } from "./world/observe.ts";
export { isStored, namespaceOf, podOf, templatePath } from "./world/pod-of.ts";
export { pullSecretNames, storePod, type StoredPod, type StoreOptions } from "./world/store-pod.ts";
export {
  type LookOptions,
  type NodeImages,
  type NodeSituation,
  type ObjectName,
  type Seen,
  type SeenSecret,
  type Situation,
  type Surroundings,
  type Workload,
} from "./world/situation.ts";
