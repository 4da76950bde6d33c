/**
 * Refuses, or warns about, Pods and templates whose images break rules. Images that the object had before are left
 * alone: a new rule must not keep what runs from being scaled or deleted.
 */
import type { JsonObject } from "../../kubernetes/index.ts";
import type { AdmissionDecision, AdmissionOptions, AdmissionPlugin, AdmissionRequest } from "../admission.ts";
import { forbiddenError, forbiddenErrors, grant, refuse } from "../decide.ts";
import { objectsOf, textOf } from "../json.ts";
import { describeSlot } from "../pinning/describe.ts";
import { readImage } from "../pinning/plan-pins.ts";
import { type ImageSlot, listImages } from "../pod-images.ts";
import { isPodResource, podSpecPlace, readPodSpec } from "../pod-spec.ts";
import type { ImageRule, JudgedImage } from "./image-rules.ts";

const NAME = "ImagePolicy";

export interface ImagePolicyOptions {
  readonly rules: readonly ImageRule[];
  /** Say it in warnings, and let everything pass. */
  readonly warnOnly?: boolean | undefined;
  /** Namespaces that no rule is about. */
  readonly exemptNamespaces?: readonly string[] | undefined;
}

export function imagePolicy(options: ImagePolicyOptions): AdmissionPlugin {
  const exempt = new Set(options.exemptNamespaces);
  return {
    name: NAME,
    validate: (request, call) => {
      const images = exempt.has(request.namespace) ? [] : newImages(request);
      return images.length === 0 ? grant(request) : judgeAll(request, { images, options, call });
    },
  };
}

interface NewImage extends JudgedImage {
  readonly slot: ImageSlot;
  readonly field: string;
}

interface Complaint {
  readonly field: string;
  readonly message: string;
}

/** Names that can't be read are left to the node, which says so in Kubernetes' own words. */
function newImages(request: AdmissionRequest): readonly NewImage[] {
  const { operation, resource, subresource, object, oldObject, namespace } = request;
  const place = podSpecPlace(resource);
  const ephemeral = isPodResource(resource) && subresource === "ephemeralcontainers";
  if ((operation !== "CREATE" && operation !== "UPDATE") || place === undefined) return [];
  if (subresource !== "" && !ephemeral) return [];
  const spec = readPodSpec(object, place);
  const known = new Set(listImages(readPodSpec(oldObject, place)).map(({ image }) => image));
  return listImages(spec).flatMap((slot) => {
    const reference = known.has(slot.image) ? undefined : readImage(slot.image);
    if (spec === undefined || reference === undefined) return [];
    const field = `${place.field}.${slot.field}`;
    return [{ slot, field, text: slot.image, reference, namespace, ...credentialsOf(spec) }];
  });
}

function credentialsOf(spec: JsonObject): Pick<JudgedImage, "imagePullSecrets" | "serviceAccountName"> {
  return {
    imagePullSecrets: objectsOf(spec["imagePullSecrets"]).map(({ name }) => textOf(name)),
    serviceAccountName: textOf(spec["serviceAccountName"]) || "default",
  };
}

async function judgeAll(
  request: AdmissionRequest,
  work: {
    readonly images: readonly NewImage[];
    readonly options: ImagePolicyOptions;
    readonly call: AdmissionOptions;
  },
): Promise<AdmissionDecision> {
  const { images, options, call } = work;
  const judged = images.map(async (image): Promise<readonly Complaint[]> => {
    const words = await Promise.all(options.rules.map(async (rule) => await rule.judge(image, call)));
    return words
      .filter((why) => why !== undefined)
      .map((why) => ({ field: image.field, message: `${describeSlot(image.slot)} ${why}` }));
  });
  const found = (await Promise.all(judged)).flat();
  if (found.length === 0) return grant(request);
  const reasons = found.map((one) => ({ plugin: NAME, ...one }));
  const messages = found.map((one) => one.message);
  if (options.warnOnly === true) return grant(request, { warnings: messages, reasons });
  const { message } = forbiddenError(request, messages.join("; "));
  return refuse(forbiddenErrors(request, message, found), { reasons });
}
