/** `AdmissionReview` of `admission.k8s.io/v1`, as the API server sends it to webhooks. */
import {
  badRequest,
  type GroupVersionKind,
  type GroupVersionResource,
  type KubernetesObject,
} from "../../kubernetes/index.ts";
import type { AdmissionOperation, AdmissionRequest, AdmissionUser } from "../admission.ts";
import { isObject, textOf } from "../json.ts";

export const REVIEW_API_VERSION = "admission.k8s.io/v1";
export const REVIEW_KIND = "AdmissionReview";

export interface ReadReview {
  /** To be given back with the answer. */
  readonly uid: string;
  readonly request: AdmissionRequest;
}

const OPERATIONS: ReadonlySet<string> = new Set(["CREATE", "UPDATE", "DELETE", "CONNECT"]);

/** @throws StatusError `BadRequest` that says what is wrong with it */
export function readReview(body: unknown): ReadReview {
  if (!isObject(body)) throw refused("it is no JSON object");
  const { apiVersion, kind, request } = body;
  if (kind !== REVIEW_KIND) throw refused(`its kind is ${JSON.stringify(kind ?? "")}, not ${REVIEW_KIND}`);
  if (apiVersion !== REVIEW_API_VERSION) {
    const version = JSON.stringify(apiVersion ?? "");
    throw refused(`its apiVersion is ${version}; ask for ${REVIEW_API_VERSION} in admissionReviewVersions`);
  }
  if (!isObject(request)) throw refused("it has no request");
  const uid = textOf(request["uid"]);
  if (uid === "") throw refused("its request has no uid");
  const operation = textOf(request["operation"]);
  if (!isOperation(operation)) throw refused(`its operation is ${JSON.stringify(operation)}`);
  const object = readObject(request["object"], "object");
  const oldObject = readObject(request["oldObject"], "oldObject");
  return {
    uid,
    request: {
      operation,
      resource: readResource(request["resource"]),
      kind: readKind(request["kind"]),
      subresource: textOf(request["subResource"]),
      name: textOf(request["name"]),
      namespace: textOf(request["namespace"]),
      ...(object !== undefined && { object }),
      ...(oldObject !== undefined && { oldObject }),
      dryRun: request["dryRun"] === true,
      user: readUser(request["userInfo"]),
    },
  };
}

function isOperation(text: string): text is AdmissionOperation {
  return OPERATIONS.has(text);
}

function readResource(value: unknown): GroupVersionResource {
  if (!isObject(value) || textOf(value["resource"]) === "") throw refused("its request names no resource");
  const { group, version, resource } = value;
  return { group: textOf(group), version: textOf(version), resource: textOf(resource) };
}

function readKind(value: unknown): GroupVersionKind {
  if (!isObject(value) || textOf(value["kind"]) === "") throw refused("its request names no kind");
  const { group, version, kind } = value;
  return { group: textOf(group), version: textOf(version), kind: textOf(kind) };
}

/** What lies below `metadata` is read where it matters; nobody is to stumble over the frame. */
function readObject(value: unknown, member: string): KubernetesObject | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) throw refused(`its request's ${member} is no object`);
  const { metadata } = value;
  if (metadata !== undefined && !isObject(metadata)) throw refused(`its ${member}'s metadata is no object`);
  const annotations = metadata?.["annotations"];
  if (annotations !== undefined && annotations !== null && !isObject(annotations)) {
    throw refused(`its ${member}'s annotations are no object`);
  }
  return value as KubernetesObject;
}

function readUser(value: unknown): AdmissionUser {
  if (!isObject(value)) return { name: "", groups: [] };
  const { username, uid, groups } = value;
  const names = Array.isArray(groups) ? groups.filter((group) => typeof group === "string") : [];
  return { name: textOf(username), ...(textOf(uid) !== "" && { uid: textOf(uid) }), groups: names };
}

function refused(why: string): ReturnType<typeof badRequest> {
  return badRequest(`Cannot review this request: ${why}`);
}
