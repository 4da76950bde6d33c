/** What pinning tells people: which image, what is the matter, and what they can change. */
import type { ImageSlot } from "../pod-images.ts";
import type { KnownDigest } from "./digest-memory.ts";
import type { DigestFailure, DigestFailureCode } from "./digest-resolver.ts";

/** `image "nginx" of container "web"` */
export function describeSlot({ list, name, image }: ImageSlot): string {
  return `image ${JSON.stringify(image)} of ${WORDS[list]} ${JSON.stringify(name)}`;
}

const WORDS = {
  initContainers: "init container",
  containers: "container",
  ephemeralContainers: "ephemeral container",
  volumes: "volume",
} as const;

/** `image "nginx" of container "web" can't be pinned: …; push the tag first, or correct the name` */
export function explainFailure(slot: ImageSlot, failure: DigestFailure, namespace: string): string {
  return `${describeSlot(slot)} can't be pinned to a digest: ${failure.message}; ${remedy(failure.code, namespace)}`;
}

export function warnUnpinned(slot: ImageSlot, failure: DigestFailure): string {
  return `${describeSlot(slot)} was not pinned to a digest: ${failure.message}`;
}

export function warnLastKnown(slot: ImageSlot, known: KnownDigest, failure: DigestFailure): string {
  return `${describeSlot(slot)} was pinned to what it was ${formatAge(known.age)} ago: ${failure.message}`;
}

/** As kubectl shows ages: `90s`, `12m`, `7h`, `3d`. */
function formatAge(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 2 * 3600) return `${Math.floor(seconds / 60)}m`;
  return seconds < 48 * 3600 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
}

function remedy(code: DigestFailureCode, namespace: string): string {
  switch (code) {
    case "NOT_FOUND":
      return "push the tag first, or correct the name";
    case "DENIED":
      return `name a Secret of namespace ${JSON.stringify(namespace)} that may pull it in imagePullSecrets, of the Pod or of its ServiceAccount`;
    case "RATE_LIMITED":
    case "TIMEOUT":
    case "UNREACHABLE":
      return "try again later, or write its digest behind the name: name:tag@sha256:…";
  }
}
