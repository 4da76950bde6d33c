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
