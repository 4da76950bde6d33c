/** Tokens of ServiceAccounts, as long as the account they speak for is the one that is there. */
import { Secret } from "../../internal/secret.ts";
import {
  failure,
  issueServiceAccountToken,
  type JsonObject,
  type KubernetesObject,
  notFound,
  type ServiceAccountKey,
  verifyServiceAccountToken,
} from "../../kubernetes/index.ts";
import { formatTime } from "../clock.ts";
import type { ApiStorage } from "../storage/storage.ts";
import { type ApiUser, serviceAccountUser } from "./user.ts";

export interface TokenContext {
  readonly storage: ApiStorage;
  readonly key: ServiceAccountKey;
  readonly now: () => number;
}

const HOUR = 3600;
const MIN_SECONDS = 600;
const MAX_SECONDS = 2 ** 32;

/** POST to `serviceaccounts/NAME/token`: the request, with its token. */
export async function requestToken(
  context: TokenContext,
  account: KubernetesObject,
  request: KubernetesObject,
): Promise<KubernetesObject> {
  const spec = (request["spec"] ?? {}) as {
    audiences?: readonly string[] | null;
    expirationSeconds?: number;
    boundObjectRef?: BoundObjectRef | null;
  };
  const { audiences, expirationSeconds: seconds = HOUR, boundObjectRef: reference } = spec;
  checkLifetime(seconds);
  const { name = "", namespace = "", uid = "" } = account.metadata;
  const pod = reference ? await findBound(context, namespace, reference) : undefined;
  const { token, expires } = await issueServiceAccountToken(
    context.key,
    {
      namespace,
      serviceAccount: { name, uid },
      audiences: audiences ?? [],
      lifetimeSeconds: seconds,
      pod,
    },
    { now: context.now },
  );
  const status = { token: token.reveal(), expirationTimestamp: formatTime(expires) };
  return {
    kind: "TokenRequest",
    apiVersion: "authentication.k8s.io/v1",
    metadata: { name, namespace, creationTimestamp: formatTime(context.now()) },
    spec: { ...(spec as JsonObject), audiences: audiences ?? [], expirationSeconds: seconds },
    status,
  };
}

/** Who sends this token; `undefined` where it isn't one of ours, or its account or Pod is gone. */
export async function authenticateServiceAccount(
  context: TokenContext,
  token: string,
): Promise<ApiUser | undefined> {
  // Anything else that a client may send as a token is told apart without any work.
  if (token.split(".").length !== 3) return undefined;
  const verified = await verifyServiceAccountToken(context.key, new Secret(token), { now: context.now });
  if (verified === undefined) return undefined;
  const { namespace, serviceAccount, pod, id } = verified;
  const account = await context.storage.find({
    resource: "serviceaccounts",
    namespace,
    name: serviceAccount.name,
  });
  if (account?.object.metadata.uid !== serviceAccount.uid) return undefined;
  if (pod !== undefined) {
    const found = await context.storage.find({ resource: "pods", namespace, name: pod.name });
    if (found?.object.metadata.uid !== pod.uid) return undefined;
  }
  return serviceAccountUser(namespace, serviceAccount.name, {
    uid: serviceAccount.uid,
    extra: {
      ...(id !== undefined && { "authentication.kubernetes.io/credential-id": [`JTI=${id}`] }),
      ...(pod && {
        "authentication.kubernetes.io/pod-name": [pod.name],
        "authentication.kubernetes.io/pod-uid": [pod.uid],
      }),
    },
  });
}

interface BoundObjectRef {
  readonly kind?: string;
  readonly name?: string;
  readonly uid?: string;
}

/** A token for a Pod ends with it; no other kind of thing is known to bind tokens to here. */
async function findBound(
  context: TokenContext,
  namespace: string,
  reference: BoundObjectRef,
): Promise<{ readonly name: string; readonly uid: string }> {
  const { kind = "", name = "", uid = "" } = reference;
  if (kind !== "Pod") {
    throw invalidRequest(
      "spec.boundObjectRef",
      `cannot bind token for serviceaccount to object of type ${kind}`,
    );
  }
  const found = await context.storage.find({ resource: "pods", namespace, name });
  if (found === undefined) throw notFound({ group: "", kind: "pods", name });
  const actual = found.object.metadata.uid ?? "";
  if (uid !== "" && uid !== actual) {
    throw failure(
      "Conflict",
      `Operation cannot be fulfilled on pods "${name}": the UID in the bound object reference (${uid}) does not ` +
        `match the UID in record. The object might have been deleted and then recreated`,
      { name, kind: "pods" },
    );
  }
  return { name, uid: actual };
}

function checkLifetime(seconds: number): void {
  const field = "spec.expirationSeconds";
  if (seconds < MIN_SECONDS)
    throw invalidRequest(field, "may not specify a duration less than 10 minutes", seconds);
  if (seconds > MAX_SECONDS)
    throw invalidRequest(field, "may not specify a duration larger than 2^32 seconds", seconds);
}

function invalidRequest(field: string, detail: string, value?: number): Error {
  const message = `Invalid value${value === undefined ? "" : `: ${value}`}: ${detail}`;
  return failure("Invalid", `TokenRequest.authentication.k8s.io "" is invalid: ${field}: ${message}`, {
    group: "authentication.k8s.io",
    kind: "TokenRequest",
    causes: [{ reason: "FieldValueInvalid", message, field }],
  });
}
