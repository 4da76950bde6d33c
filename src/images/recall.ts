/** What is remembered of failed pulls, and which changes might mend them. */
import type { EnsureRequest } from "./ensure.ts";
import { parseImageName } from "./image-name.ts";
import { type FailureDetail, isCurable } from "./judge-failure.ts";

/** Something credentials come from has changed: an object of the API, or the node's own files and providers. */
export type CredentialsChange =
  | { readonly kind: "secret" | "service-account"; readonly namespace: string; readonly name: string }
  | { readonly kind: "node" };

/** A failed pull, by which back-off knows it. */
export interface FailedPull {
  readonly image: string;
  readonly podUid: string;
}

export interface Recalled extends FailedPull {
  /** The reason and message, as a later refusal repeats them. */
  readonly text: string;
  readonly detail: FailureDetail;
  /** As image names spell it. */
  readonly registry: string;
  readonly namespace: string | undefined;
  readonly serviceAccount: string | undefined;
  readonly secrets: readonly string[] | undefined;
}

/** Keeps of a request what tells later whose credentials it used, and nothing of the credentials. */
export function recall(
  request: EnsureRequest,
  tagged: string,
  failure: { readonly text: string; readonly detail: FailureDetail },
): Recalled {
  const { image, podUid, pod, pullSecrets, pullSecretNames } = request;
  return {
    image,
    podUid,
    ...failure,
    registry: registryOf(tagged),
    namespace: pod?.namespace ?? pullSecrets?.[0]?.namespace,
    serviceAccount: pod === undefined ? undefined : pod.serviceAccountName || "default",
    secrets: pullSecretNames,
  };
}

/** The registry of an image, as image names spell it. */
export function registryOf(tagged: string): string {
  return parseImageName(tagged).domain;
}

/** Whether the change might be the cure. Where it isn't known whose credentials were used, it might. */
export function couldCure(change: CredentialsChange, failed: Recalled): boolean {
  if (!isCurable(failed.detail)) return false;
  if (change.kind === "node") return true;
  if ((failed.namespace ?? change.namespace) !== change.namespace) return false;
  // A ServiceAccount also brings Secrets along, those that its Pods name besides their own.
  if (change.kind === "service-account") return (failed.serviceAccount ?? change.name) === change.name;
  return failed.secrets?.includes(change.name) ?? true;
}
