/**
 * Every container of a new Pod has its images checked against the registry, so that who once pulled a private image
 * to a node doesn't open it to every Pod there.
 */
import { aggregate, unsupportedField } from "../internal/kubernetes/field-error.ts";
import { badRequest, type JsonObject, type KubernetesObject } from "../kubernetes/index.ts";
import type { AdmissionDecision, AdmissionPlugin, AdmissionReason, AdmissionRequest } from "./admission.ts";
import { forbiddenError, forbiddenErrors, grant, grantWith, refuse } from "./decide.ts";
import { textOf } from "./json.ts";
import { type ImageList, listImages, mapImageOwners } from "./pod-images.ts";
import { isPodResource, podSpecPlace, readPodSpec, withPodSpec } from "./pod-spec.ts";

const NAME = "AlwaysPullImages";

export const alwaysPullImages: AdmissionPlugin = {
  name: NAME,

  admit(request): AdmissionDecision {
    const found = findPod(request);
    if ("decision" in found) return found.decision;
    const reasons: AdmissionReason[] = [];
    const spec = mapImageOwners(found.spec, (owner, { list, index }) => {
      const member = policyMember(list);
      if (owner[member] === "Always") return owner;
      reasons.push(reasonOf(owner, { list, index }));
      return { ...owner, [member]: "Always" };
    });
    if (spec === found.spec) return grant(request);
    return grantWith(withPodSpec(found.pod, found.place, spec), { reasons });
  },

  validate(request): AdmissionDecision {
    const found = findPod(request);
    if ("decision" in found) return found.decision;
    const causes: { readonly field: string; readonly message: string }[] = [];
    mapImageOwners(found.spec, (owner, { list, index }) => {
      const policy = textOf(owner[policyMember(list)]);
      if (policy === "Always") return owner;
      const { field, message } = unsupportedField(fieldOf(list, index), policy, ["Always"]);
      causes.push({ field, message: forbiddenError(request, message).message });
      return owner;
    });
    if (causes.length === 0) return grant(request);
    const reasons = causes.map(({ field, message }) => ({ plugin: NAME, field, message }));
    const message = aggregate(causes.map((cause) => cause.message));
    return refuse(forbiddenErrors(request, message, causes), { reasons });
  },
};

type FoundPod =
  | {
      readonly pod: KubernetesObject;
      readonly spec: JsonObject;
      readonly place: NonNullable<ReturnType<typeof podSpecPlace>>;
    }
  | { readonly decision: AdmissionDecision };

function findPod(request: AdmissionRequest): FoundPod {
  const { operation, resource, subresource, object } = request;
  const place = podSpecPlace(resource);
  const handled = operation === "CREATE" || operation === "UPDATE";
  if (!handled || subresource !== "" || !isPodResource(resource) || place === undefined) {
    return { decision: grant(request) };
  }
  if (object?.kind !== "Pod") {
    const message = "Resource was marked with kind Pod but was unable to be converted";
    return { decision: refuse(badRequest(message)) };
  }
  const spec = readPodSpec(object, place) ?? {};
  if (operation === "UPDATE" && bringsNoImage(spec, readPodSpec(request.oldObject, place))) {
    return { decision: grant(request) };
  }
  return { pod: object, spec, place };
}

/** Kubernetes compares the texts of all containers as one set, and leaves volumes out: those can't change. */
function bringsNoImage(spec: JsonObject, old: JsonObject | undefined): boolean {
  if (old === undefined) return false;
  const known = new Set(listImages(old, { volumes: false }).map(({ image }) => image));
  return listImages(spec, { volumes: false }).every(({ image }) => known.has(image));
}

function reasonOf(
  owner: JsonObject,
  { list, index }: { readonly list: ImageList; readonly index: number },
): AdmissionReason {
  const before = textOf(owner[policyMember(list)]);
  const message = before === "" ? "set to Always" : `set to Always, from ${JSON.stringify(before)}`;
  return { plugin: NAME, field: fieldOf(list, index), message };
}

function policyMember(list: ImageList): "imagePullPolicy" | "pullPolicy" {
  return list === "volumes" ? "pullPolicy" : "imagePullPolicy";
}

function fieldOf(list: ImageList, index: number): string {
  return list === "volumes"
    ? `spec.volumes[${index}].image.pullPolicy`
    : `spec.${list}[${index}].imagePullPolicy`;
}
