/** What the API server makes of a Pod: the very admission chain and validation, over what is known. */
import { type AdmissionPlugin, runAdmission, serviceAccountAdmission } from "../../admission/index.ts";
import {
  applyDefaults,
  type KubernetesObject,
  prepareForCreate,
  StatusError,
  notFound,
  validateCreate,
} from "../../kubernetes/index.ts";
import { objectAt, objectsAt, textAt } from "../json.ts";
import type { AccountTrace, AdmissionTrace } from "../trace.ts";
import { namespaceOf } from "./pod-of.ts";
import type { ObjectName, Seen, Surroundings } from "./situation.ts";

export interface StoredPod {
  readonly pod: KubernetesObject;
  readonly admission: AdmissionTrace;
  readonly account: AccountTrace;
}

export interface StoreOptions {
  readonly surroundings: Surroundings;
  readonly plugins: readonly AdmissionPlugin[];
  readonly stored: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Also a Pod that is refused comes back, as far as it got: its images are worth a look all the same. */
export async function storePod(pod: KubernetesObject, options: StoreOptions): Promise<StoredPod> {
  const name =
    textAt(pod, "spec", "serviceAccountName") || textAt(pod, "spec", "serviceAccount") || "default";
  const seen = await findAccount({ namespace: namespaceOf(pod), name }, options);
  const account = describeAccount(name, seen);
  if (options.stored) {
    return { pod, admission: { state: "skipped", steps: [], warnings: [], errors: [] }, account };
  }
  const read = (): KubernetesObject => {
    if (seen.state === "missing" && name !== "default") {
      throw notFound({ group: "", kind: "serviceaccount", name });
    }
    return seen.state === "found"
      ? seen.value
      : { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace: namespaceOf(pod) } };
  };
  // A token volume tells nothing about images, and its name is different each time.
  const standard = serviceAccountAdmission({ accounts: { read }, mountToken: false });
  const decision = await runAdmission([standard, ...options.plugins], requestFor(pod), {
    between: applyDefaults,
    signal: options.signal,
  });
  const steps = decision.reasons;
  const { warnings } = decision;
  if (!decision.allowed) {
    const refusal = { field: "", message: decision.status.message ?? "refused" };
    // What the account adds, it adds also where a later step refuses.
    const pulled = await runAdmission([standard], requestFor(pod), { phase: "admit" }).catch(ignoreStatus);
    const object = pulled?.allowed === true ? (pulled.object ?? pod) : pod;
    // The API server would stop there; whoever mends it would meet these next.
    const errors = [refusal, ...faultsOf(object)];
    return { pod: object, admission: { state: "refused", steps, warnings, errors }, account };
  }
  const object = decision.object ?? pod;
  const errors = faultsOf(object);
  const state = errors.length === 0 ? "admitted" : "invalid";
  return { pod: object, admission: { state, steps, warnings, errors }, account };
}

/** Each with its field. */
function faultsOf(pod: KubernetesObject): StoredPod["admission"]["errors"] {
  return validateCreate(prepareForCreate(pod)).map(({ field, message }) => ({ field, message }));
}

function requestFor(pod: KubernetesObject): Parameters<typeof runAdmission>[1] {
  return {
    operation: "CREATE",
    resource: { group: "", version: "v1", resource: "pods" },
    kind: { group: "", version: "v1", kind: "Pod" },
    subresource: "",
    name: pod.metadata.name ?? "",
    namespace: namespaceOf(pod),
    object: pod,
    dryRun: true,
    user: { name: "dray", groups: [] },
  };
}

async function findAccount(
  of: ObjectName,
  { surroundings, signal }: StoreOptions,
): Promise<Seen<KubernetesObject>> {
  return await surroundings.account(of, { signal });
}

function describeAccount(name: string, seen: Seen<KubernetesObject>): AccountTrace {
  if (seen.state === "found") {
    const pullSecrets = objectsAt(seen.value, "imagePullSecrets").map((one) => textAt(one, "name"));
    return { name, state: "found", pullSecrets };
  }
  if (seen.state === "missing" && name === "default") return { name, state: "assumed", pullSecrets: [] };
  if (seen.state === "missing") return { name, state: "missing", pullSecrets: [] };
  return { name, state: "unseen", why: seen.why, pullSecrets: [] };
}

function ignoreStatus(error: unknown): undefined {
  if (error instanceof StatusError) return undefined;
  throw error;
}

/** The names of the Secrets the Pod may use, as it is stored; empty ones are as good as none. */
export function pullSecretNames(pod: KubernetesObject): readonly string[] {
  return objectsAt(objectAt(pod, "spec"), "imagePullSecrets")
    .map((one) => textAt(one, "name"))
    .filter((name) => name !== "");
}
