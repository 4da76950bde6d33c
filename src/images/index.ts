/** Ensure, pull, keep and collect images on one node. */
export { BackOff, type BackOffOptions } from "./back-off.ts";
export { decidePull, needsPresence, type PullDecision, type PullPolicy } from "./decide-pull.ts";
export { ImagesError, type ImagesErrorCode } from "./errors.ts";
export { ImageManager, type EnsureOutcome, type EnsureRequest, type FailureReason } from "./image-manager.ts";
export { type ImageEvent, type ImageManagerOptions } from "./image-manager.ts";
export { applyDefaultImageTag, parseImageName } from "./image-name.ts";
export { type ImageRuntime, type PullProgress, type RuntimeImage } from "./image-runtime.ts";
export { type RuntimePullOptions } from "./image-runtime.ts";
