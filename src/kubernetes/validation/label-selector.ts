/** What holds for a selector of labels, and which labels it selects. */
import {
  type FieldError,
  forbiddenField,
  invalidField,
  requiredField,
} from "../../internal/kubernetes/field-error.ts";
import { qualifiedNameFaults } from "../../internal/kubernetes/qualified-name.ts";
import { entriesAt, isAbsent, objectsAt, textAt, textsAt } from "../objects/fields.ts";
import type { JsonObject } from "../objects/object.ts";
import { StatusError } from "../objects/status.ts";
import { matchesLabels, readLabelSelector } from "../selectors/label-selector.ts";
import { invalids, validateLabels } from "./metadata.ts";
import { labelValueFaults } from "./names.ts";

export function validateLabelSelector(selector: JsonObject | undefined, path: string): readonly FieldError[] {
  return [
    ...validateLabels(selector, "matchLabels", path),
    ...objectsAt(selector, "matchExpressions").flatMap((requirement, index) =>
      validateRequirement(requirement, `${path}.matchExpressions[${index}]`),
    ),
  ];
}

export function isEmptySelector(selector: JsonObject): boolean {
  return entriesAt(selector, "matchLabels").length + objectsAt(selector, "matchExpressions").length === 0;
}

/** A selector as it is shown: its members in the order in which they are declared, whatever order they came in. */
export function shownSelector(selector: JsonObject | undefined): JsonObject | null {
  if (selector === undefined) return null;
  const requirements = objectsAt(selector, "matchExpressions");
  const inOrder = (object: JsonObject, names: readonly string[]): JsonObject =>
    Object.fromEntries(names.filter((name) => !isAbsent(object[name])).map((name) => [name, object[name]]));
  const shown = requirements.map((one) => inOrder(one, ["key", "operator", "values"]));
  return {
    ...inOrder(selector, ["matchLabels"]),
    ...(shown.length > 0 && { matchExpressions: shown }),
  };
}

/** An absent selector selects nothing, an empty one everything; undefined for one that can't be read. */
export function selectsLabels(selector: JsonObject | undefined, labels: JsonObject): boolean | undefined {
  try {
    return matchesLabels(readLabelSelector(selector), labels as Readonly<Record<string, string>>);
  } catch (error) {
    if (error instanceof StatusError) return undefined;
    throw error;
  }
}

function validateRequirement(requirement: JsonObject, path: string): readonly FieldError[] {
  const operator = textAt(requirement, "operator");
  const key = textAt(requirement, "key");
  const values = textsAt(requirement, "values");
  const errors: FieldError[] = [];
  if (operator === "In" || operator === "NotIn") {
    const why = "must be specified when `operator` is 'In' or 'NotIn'";
    if (values.length === 0) errors.push(requiredField(`${path}.values`, why));
  } else if (operator === "Exists" || operator === "DoesNotExist") {
    const why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
    if (values.length > 0) errors.push(forbiddenField(`${path}.values`, why));
  } else errors.push(invalidField(`${path}.operator`, operator, "not a valid selector operator"));
  errors.push(...invalids(`${path}.key`, key, qualifiedNameFaults(key)));
  return [
    ...errors,
    ...values.flatMap((value, index) => invalids(`${path}.values[${index}]`, value, labelValueFaults(value))),
  ];
}
