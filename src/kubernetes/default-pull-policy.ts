import { parseReference } from "../reference/index.ts";
import type { PullPolicy } from "./pod.ts";

/** What a manifest gets that gives no pull policy, and the rule that says so. */
export interface DefaultPolicy {
  readonly policy: PullPolicy;
  readonly because: "tag-latest" | "no-tag" | "tag" | "digest" | "name-unreadable";
}

/**
 * The pull policy of an image whose manifest gives none: `Always` for the tag `latest`, written or implied,
 * otherwise `IfNotPresent`, also for text that is no image name at all.
 */
export function defaultPullPolicy(image: string): PullPolicy {
  return explainDefaultPolicy(image).policy;
}

/** {@link defaultPullPolicy} with its reason. */
export function explainDefaultPolicy(image: string): DefaultPolicy {
  let tag: string | undefined;
  let digest: string | undefined;
  try {
    ({ tag, digest } = parseReference(image));
  } catch {
    // Kubernetes defaults before anything judges the name; the node says what is wrong with it.
    return { policy: "IfNotPresent", because: "name-unreadable" };
  }
  // A tag counts beside a digest, too, though the digest decides what is pulled.
  if (tag === "latest") return { policy: "Always", because: "tag-latest" };
  if (tag !== undefined) return { policy: "IfNotPresent", because: "tag" };
  if (digest !== undefined) return { policy: "IfNotPresent", because: "digest" };
  return { policy: "Always", because: "no-tag" };
}
