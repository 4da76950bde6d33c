/**
 * The plugin `ServiceAccount`: whose a new Pod is, and what it gets for that: a token for the API, and the account's
 * pull secrets where it names none.
 */
import { setTimeout as sleepOnTimer } from "node:timers/promises";

import { type JsonObject, type KubernetesObject, StatusError } from "../../kubernetes/index.ts";
import type {
  AdmissionDecision,
  AdmissionOptions,
  AdmissionPlugin,
  AdmissionReason,
  AdmissionRequest,
} from "../admission.ts";
import { forbiddenError, grant, grantWith, refuse } from "../decide.ts";
import { isObject, objectsOf, textOf } from "../json.ts";
import { isPodResource } from "../pod-spec.ts";
import {
  DEFAULT_ACCOUNT,
  findServiceAccount,
  type LookupTiming,
  type ServiceAccountLookup,
} from "./lookup.ts";
import { enforcesMountableSecrets, findForbiddenSecret, findForbiddenVariable } from "./mountable-secrets.ts";
import { projectsToken, secretNames } from "./secret-references.ts";
import { mountToken, nameSuffix } from "./token-volume.ts";

const NAME = "ServiceAccount";
const MIRROR_ANNOTATION = "kubernetes.io/config.mirror";

export interface ServiceAccountOptions {
  readonly accounts: ServiceAccountLookup;
  /** Keep every account's Pods to the Secrets it lists, and not only those that ask for it. */
  readonly limitSecretReferences?: boolean | undefined;
  /** Mount a token where neither Pod nor account says otherwise; true by default. */
  readonly mountToken?: boolean | undefined;
  readonly timing?: Partial<LookupTiming> | undefined;
}

export function serviceAccountAdmission(options: ServiceAccountOptions): AdmissionPlugin {
  return {
    name: NAME,
    admit: (request, call) => {
      const pod = podOf(request);
      if (pod === undefined || request.operation !== "CREATE") return grant(request);
      if (isMirror(pod)) return judgeMirror(request, pod);
      return admitPod(request, { pod, options, call });
    },
    validate: (request, call) => {
      const pod = podOf(request);
      if (pod === undefined) return grant(request);
      const { operation, subresource } = request;
      if (operation === "UPDATE" && subresource === "ephemeralcontainers") {
        return judgePod(request, { pod, options, call });
      }
      if (operation !== "CREATE") return grant(request);
      return isMirror(pod) ? judgeMirror(request, pod) : judgePod(request, { pod, options, call });
    },
  };
}

interface Work {
  readonly pod: KubernetesObject;
  readonly options: ServiceAccountOptions;
  readonly call: AdmissionOptions;
}

async function admitPod(request: AdmissionRequest, work: Work): Promise<AdmissionDecision> {
  const { pod, options } = work;
  const reasons: AdmissionReason[] = [];
  const before = specOf(pod);
  let spec = before;
  const given = accountName(spec);
  if (given === "") {
    reasons.push({ plugin: NAME, field: "spec.serviceAccountName", message: `set to ${DEFAULT_ACCOUNT}` });
  }
  const name = given === "" ? DEFAULT_ACCOUNT : given;
  // The second member is the first one's old name, which answers carry along.
  if (spec["serviceAccountName"] !== name || spec["serviceAccount"] !== name) {
    spec = { ...spec, serviceAccountName: name, serviceAccount: name };
  }
  const found = await findAccount(request, { spec, work });
  if ("decision" in found) return found.decision;
  const { account } = found;
  if ((options.mountToken ?? true) && automounts(spec, account)) {
    const mounted = mountToken(spec, () => nameSuffix(options.timing?.random));
    if (mounted !== spec) reasons.push({ plugin: NAME, field: "spec.volumes", message: "a token was added" });
    spec = mounted;
  }
  const offered = objectsOf(account["imagePullSecrets"]);
  if (objectsOf(spec["imagePullSecrets"]).length === 0 && offered.length > 0) {
    const names = offered.map(({ name }) => textOf(name));
    spec = { ...spec, imagePullSecrets: names.map((name) => (name === "" ? {} : { name })) };
    const message = `${names.join(", ")}, from ServiceAccount ${account.metadata.name ?? ""}`;
    reasons.push({ plugin: NAME, field: "spec.imagePullSecrets", message });
  }
  const object = spec === before ? pod : { ...pod, spec };
  const judged = judgeSecrets({ ...request, object }, { spec, account, options });
  return judged ?? grantWith(object, { reasons });
}

async function judgePod(request: AdmissionRequest, work: Work): Promise<AdmissionDecision> {
  const spec = specOf(work.pod);
  if (accountName(spec) === "") {
    const why = `no service account specified for pod ${request.namespace}/${request.name}`;
    return refuse(forbiddenError(request, why));
  }
  const found = await findAccount(request, { spec, work });
  if ("decision" in found) return found.decision;
  return judgeSecrets(request, { spec, account: found.account, options: work.options }) ?? grant(request);
}

/** A mirror shows a Pod that a node runs from a file of its own: nothing of the API may flow into it. */
function judgeMirror(request: AdmissionRequest, pod: KubernetesObject): AdmissionDecision {
  const spec = specOf(pod);
  const why =
    accountName(spec) !== ""
      ? "a mirror pod may not reference service accounts"
      : secretNames(spec).next().done !== true
        ? "a mirror pod may not reference secrets"
        : projectsToken(spec)
          ? "a mirror pod may not use ServiceAccountToken volume projections"
          : undefined;
  return why === undefined ? grant(request) : refuse(forbiddenError(request, why));
}

function judgeSecrets(
  request: AdmissionRequest,
  judged: {
    readonly spec: JsonObject;
    readonly account: KubernetesObject;
    readonly options: ServiceAccountOptions;
  },
): AdmissionDecision | undefined {
  const { spec, account, options } = judged;
  if (options.limitSecretReferences !== true && !enforcesMountableSecrets(account)) return undefined;
  const why =
    request.subresource === "ephemeralcontainers"
      ? findForbiddenVariable(spec, account, "ephemeralContainers")
      : findForbiddenSecret(spec, account);
  return why === undefined ? undefined : refuse(forbiddenError(request, why));
}

async function findAccount(
  request: AdmissionRequest,
  { spec, work }: { readonly spec: JsonObject; readonly work: Work },
): Promise<{ readonly account: KubernetesObject } | { readonly decision: AdmissionDecision }> {
  const { options, call } = work;
  const { namespace } = request;
  const name = accountName(spec);
  try {
    const timing = { sleep, ...options.timing, signal: call.signal };
    return { account: await findServiceAccount({ namespace, name }, options.accounts, timing) };
  } catch (error) {
    call.signal?.throwIfAborted();
    if (!(error instanceof StatusError)) throw error;
    const why = `error looking up service account ${namespace}/${name}: ${error.message}`;
    return { decision: refuse(forbiddenError(request, why)) };
  }
}

async function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  await sleepOnTimer(milliseconds, undefined, { signal });
}

/** The Pod's word counts before its account's; where neither says anything, a token is mounted. */
function automounts(spec: JsonObject, account: KubernetesObject): boolean {
  const said = spec["automountServiceAccountToken"] ?? account["automountServiceAccountToken"];
  return typeof said === "boolean" ? said : true;
}

function podOf({ resource, subresource, object }: AdmissionRequest): KubernetesObject | undefined {
  const handled = subresource === "" || subresource === "ephemeralcontainers";
  return isPodResource(resource) && handled && object?.kind === "Pod" ? object : undefined;
}

function isMirror({ metadata }: KubernetesObject): boolean {
  return Object.hasOwn(metadata.annotations ?? {}, MIRROR_ANNOTATION);
}

function accountName(spec: JsonObject): string {
  return textOf(spec["serviceAccountName"]) || textOf(spec["serviceAccount"]);
}

function specOf(pod: KubernetesObject): JsonObject {
  return isObject(pod["spec"]) ? pod["spec"] : {};
}
