/** Questions a client asks about itself: who am I, what may I do. Nothing of it is kept. */
import type { JsonObject, KubernetesObject } from "../../kubernetes/index.ts";
import { badRequest } from "../../kubernetes/index.ts";
import { formatTime } from "../clock.ts";
import { listRules, mayAccess, mayVisit } from "./authorize.ts";
import type { ApiUser } from "./user.ts";

export function reviewSelf(user: ApiUser, now: number): KubernetesObject {
  const { name, uid, groups, extra } = user;
  return {
    kind: "SelfSubjectReview",
    apiVersion: "authentication.k8s.io/v1",
    metadata: { creationTimestamp: formatTime(now) },
    status: {
      userInfo: { username: name, ...(uid !== undefined && { uid }), groups, ...(extra && { extra }) },
    },
  };
}

/** @throws StatusError */
export function reviewAccess(user: ApiUser, review: KubernetesObject): KubernetesObject {
  const spec = (review["spec"] ?? {}) as JsonObject;
  const resource = spec["resourceAttributes"] as Readonly<Record<string, string>> | undefined | null;
  const path = spec["nonResourceAttributes"] as Readonly<Record<string, string>> | undefined | null;
  if ((resource ?? undefined) === undefined && (path ?? undefined) === undefined) {
    throw badRequest("exactly one of nonResourceAttributes or resourceAttributes must be specified");
  }
  const allowed = resource
    ? mayAccess(user, {
        verb: resource["verb"] ?? "",
        group: resource["group"] ?? "",
        resource: resource["resource"] ?? "",
        subresource: resource["subresource"] ?? "",
        namespace: resource["namespace"] ?? "",
        name: resource["name"] ?? "",
      })
    : mayVisit(user, { verb: path?.["verb"] ?? "", path: path?.["path"] ?? "" });
  return { ...review, metadata: {}, status: { allowed } };
}

export function reviewRules(user: ApiUser, review: KubernetesObject): KubernetesObject {
  return { ...review, metadata: {}, spec: {}, status: listRules(user) };
}
