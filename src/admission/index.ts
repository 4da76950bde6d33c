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
