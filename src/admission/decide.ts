/** Decisions in one line each, and the words refusals have in common. */
import { failure, forbidden, type KubernetesObject, type StatusError } from "../kubernetes/index.ts";
import type { AdmissionGranted, AdmissionReason, AdmissionRefused, AdmissionRequest } from "./admission.ts";
import { textOf } from "./json.ts";

const NOTHING: readonly never[] = [];

/** The request goes on as it is. */
export function grant(
  request: AdmissionRequest,
  told: { readonly warnings?: readonly string[]; readonly reasons?: readonly AdmissionReason[] } = {},
): AdmissionGranted {
  return grantWith(request.object, told);
}

/** The request goes on with this object. */
export function grantWith(
  object: KubernetesObject | undefined,
  told: { readonly warnings?: readonly string[]; readonly reasons?: readonly AdmissionReason[] } = {},
): AdmissionGranted {
  const { warnings = NOTHING, reasons = NOTHING } = told;
  return { allowed: true, ...(object !== undefined && { object }), warnings, reasons };
}

export function refuse(
  error: StatusError,
  told: { readonly warnings?: readonly string[]; readonly reasons?: readonly AdmissionReason[] } = {},
): AdmissionRefused {
  const { warnings = NOTHING, reasons = NOTHING } = told;
  return { allowed: false, status: error.status, warnings, reasons };
}

/** `pods "web" is forbidden: why`; who has no name yet goes by what it will be generated from. */
export function forbiddenError(request: AdmissionRequest, why: string): StatusError {
  const { group, resource: kind } = request.resource;
  return forbidden({ group, kind, name: displayName(request) }, why);
}

/** Several refusals of one request as one answer. */
export function forbiddenErrors(
  request: AdmissionRequest,
  message: string,
  causes: readonly { readonly field: string; readonly message: string }[],
): StatusError {
  const { group, resource: kind } = request.resource;
  return failure("Forbidden", message, {
    name: displayName(request),
    ...(group !== "" && { group }),
    kind,
    causes: causes.map((cause) => ({ reason: "FieldValueForbidden", ...cause })),
  });
}

export function displayName({ name, object }: AdmissionRequest): string {
  if (name !== "") return name;
  const { metadata } = object ?? {};
  return textOf(metadata?.name) || textOf(metadata?.generateName) || "Unknown";
}
