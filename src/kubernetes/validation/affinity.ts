/** What holds for where a Pod wants to be. */
import {
  type FieldError,
  forbiddenField,
  invalidField,
  requiredField,
} from "../../internal/kubernetes/field-error.ts";
import { qualifiedNameFaults } from "../../internal/kubernetes/qualified-name.ts";
import { numberAt, objectAt, objectsAt, textAt, textsAt } from "../objects/fields.ts";
import type { JsonObject } from "../objects/object.ts";
import { invalids } from "./metadata.ts";
import { validateLabelSelector } from "./label-selector.ts";

const REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution";

export function validateAffinity(affinity: JsonObject | undefined, path: string): readonly FieldError[] {
  if (affinity === undefined) return [];
  return [
    ...validateNodeAffinity(objectAt(affinity, "nodeAffinity"), `${path}.nodeAffinity`),
    ...validatePodAffinity(objectAt(affinity, "podAffinity"), `${path}.podAffinity`),
    ...validatePodAffinity(objectAt(affinity, "podAntiAffinity"), `${path}.podAntiAffinity`),
  ];
}

function validateNodeAffinity(affinity: JsonObject | undefined, path: string): readonly FieldError[] {
  const required = objectAt(affinity, REQUIRED);
  const at = `${path}.${REQUIRED}.nodeSelectorTerms`;
  const terms = objectsAt(required, "nodeSelectorTerms");
  const errors: FieldError[] = [];
  if (required !== undefined && terms.length === 0) {
    errors.push(requiredField(at, "must have at least one node selector term"));
  }
  errors.push(...terms.flatMap((term, index) => validateNodeTerm(term, `${at}[${index}]`)));
  const preferred = objectsAt(affinity, PREFERRED).flatMap((one, index) => {
    const place = `${path}.${PREFERRED}[${index}]`;
    return [
      ...validateWeight(one, place),
      ...validateNodeTerm(objectAt(one, "preference") ?? {}, `${place}.preference`),
    ];
  });
  return [...errors, ...preferred];
}

function validateNodeTerm(term: JsonObject, path: string): readonly FieldError[] {
  return objectsAt(term, "matchExpressions").flatMap((requirement, index) =>
    validateRequirement(requirement, `${path}.matchExpressions[${index}]`),
  );
}

function validateRequirement(requirement: JsonObject, path: string): readonly FieldError[] {
  const operator = textAt(requirement, "operator");
  const key = textAt(requirement, "key");
  const count = textsAt(requirement, "values").length;
  const at = `${path}.values`;
  const errors: FieldError[] = [];
  if (operator === "In" || operator === "NotIn") {
    if (count === 0) errors.push(requiredField(at, "must be specified when `operator` is 'In' or 'NotIn'"));
  } else if (operator === "Exists" || operator === "DoesNotExist") {
    const why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
    if (count > 0) errors.push(forbiddenField(at, why));
  } else if (operator === "Gt" || operator === "Lt") {
    const why = "must be specified single value when `operator` is 'Lt' or 'Gt'";
    if (count !== 1) errors.push(requiredField(at, why));
  } else errors.push(invalidField(`${path}.operator`, operator, "not a valid selector operator"));
  return [...errors, ...invalids(`${path}.key`, key, qualifiedNameFaults(key))];
}

function validatePodAffinity(affinity: JsonObject | undefined, path: string): readonly FieldError[] {
  return [
    ...objectsAt(affinity, REQUIRED).flatMap((term, index) =>
      validatePodTerm(term, `${path}.${REQUIRED}[${index}]`),
    ),
    ...objectsAt(affinity, PREFERRED).flatMap((one, index) => {
      const place = `${path}.${PREFERRED}[${index}]`;
      const term = objectAt(one, "podAffinityTerm") ?? {};
      return [...validateWeight(one, place), ...validatePodTerm(term, `${place}.podAffinityTerm`)];
    }),
  ];
}

function validatePodTerm(term: JsonObject, path: string): readonly FieldError[] {
  const key = textAt(term, "topologyKey");
  return [
    ...validateLabelSelector(objectAt(term, "labelSelector"), `${path}.labelSelector`),
    ...validateLabelSelector(objectAt(term, "namespaceSelector"), `${path}.namespaceSelector`),
    ...(key === ""
      ? [requiredField(`${path}.topologyKey`, "can not be empty")]
      : invalids(`${path}.topologyKey`, key, qualifiedNameFaults(key))),
  ];
}

function validateWeight(term: JsonObject, path: string): readonly FieldError[] {
  const weight = numberAt(term, "weight") ?? 0;
  if (weight >= 1 && weight <= 100) return [];
  return [invalidField(`${path}.weight`, weight, "must be in the range 1-100")];
}
