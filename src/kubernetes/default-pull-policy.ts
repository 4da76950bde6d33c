import { parseReference } from "../reference/index.ts";
import type { PullPolicy } from "./pod.ts";

/**
 * The pull policy of an image whose manifest gives none: `Always` for the tag `latest`, written or implied,
 * otherwise `IfNotPresent`, also for text that is no image name at all.
 */
export function defaultPullPolicy(image: string): PullPolicy {
  return tagOf(image) === "latest" ? "Always" : "IfNotPresent";
}

function tagOf(image: string): string | undefined {
  try {
    const { tag, digest } = parseReference(image);
    return tag === undefined && digest === undefined ? "latest" : tag;
  } catch {
    // Kubernetes defaults before anything judges the name; the node says what is wrong with it.
    return undefined;
  }
}
