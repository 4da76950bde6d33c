/**
 * May this Pod run these images, and as what?
 *
 * A chain of plugins looks at one request: first each may change the object, in order, then each may refuse it. They
 * are the same in the embedded API server and behind a webhook.
 *
 * ```ts
 * import { alwaysPullImages, runAdmission } from "dray/admission";
 *
 * const spec = { containers: [{ name: "web", image: "nginx:1.27", imagePullPolicy: "IfNotPresent" }] };
 * const decision = await runAdmission([alwaysPullImages], {
 *   operation: "CREATE",
 *   resource: { group: "", version: "v1", resource: "pods" },
 *   kind: { group: "", version: "v1", kind: "Pod" },
 *   subresource: "",
 *   name: "web",
 *   namespace: "shop",
 *   object: { apiVersion: "v1", kind: "Pod", metadata: { name: "web" }, spec },
 *   dryRun: false,
 *   user: { name: "me", groups: [] },
 * });
 * decision.reasons; // [{ plugin: "AlwaysPullImages", field: "spec.containers[0].imagePullPolicy", … }]
 * ```
 */
export {
  type AdmissionDecision,
  type AdmissionGranted,
  type AdmissionOperation,
  type AdmissionOptions,
  type AdmissionPlugin,
  type AdmissionReason,
  type AdmissionRefused,
  type AdmissionRequest,
  type AdmissionUser,
} from "./admission.ts";
export { runAdmission, type RunAdmissionOptions } from "./run-admission.ts";
export { alwaysPullImages } from "./always-pull-images.ts";
export { defaultTolerationSeconds, priority } from "./pod-defaults.ts";
export { serviceAccountAdmission, type ServiceAccountOptions } from "./service-account/plugin.ts";
export { type LookupTiming, type ServiceAccountLookup } from "./service-account/lookup.ts";
export { type ServiceAccountRead } from "./service-account/lookup.ts";
export { isPodResource, POD_RESOURCES, podSpecPlace, type PodSpecPlace } from "./pod-spec.ts";
export { readPodSpec, withPodSpec } from "./pod-spec.ts";
export { type ImageList, type ImageSlot, listImages, mapImageOwners } from "./pod-images.ts";
export { AdmissionError, type ImagePattern, parseImagePattern } from "./image-pattern.ts";
export { type DigestAnswer, type DigestFailure, type DigestFailureCode } from "./pinning/digest-resolver.ts";
export { type DigestQuestion, type DigestResolver } from "./pinning/digest-resolver.ts";
export { DigestMemory, type DigestMemoryOptions } from "./pinning/digest-memory.ts";
export { type Knowledge, type KnownDigest } from "./pinning/digest-memory.ts";
export { ORIGINALS_ANNOTATION, readOriginals } from "./pinning/originals.ts";
export { pinDigests, type PinOptions } from "./pinning/plugin.ts";
export { PIN_FAILURES, type PinFailure, type PinRule } from "./pinning/registry-rules.ts";
export { allowedImages, forbidLatest, type ImageRule, type JudgedImage } from "./policy/image-rules.ts";
export { requireDigest } from "./policy/image-rules.ts";
export { imagePolicy, type ImagePolicyOptions } from "./policy/plugin.ts";
export { type ReadReview, readReview, REVIEW_API_VERSION, REVIEW_KIND } from "./review/read-review.ts";
export { formatReview } from "./review/format-review.ts";
export { type ReviewReport, Webhook, type WebhookAnswer, type WebhookOptions } from "./review/webhook.ts";
export { type WebhookRequest, type WebhookRoute } from "./review/webhook.ts";
