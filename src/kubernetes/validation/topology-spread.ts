/** What holds for how Pods are spread over a cluster. */
import {
  duplicateField,
  type FieldError,
  invalidField,
  requiredField,
  unsupportedWord,
} from "../../internal/kubernetes/field-error.ts";
import { qualifiedNameFaults } from "../../internal/kubernetes/qualified-name.ts";
import { numberAt, objectAt, objectsAt, textAt } from "../objects/fields.ts";
import type { JsonObject } from "../objects/object.ts";
import { validateLabelSelector } from "./label-selector.ts";
import { invalids } from "./metadata.ts";

const ACTIONS = ["DoNotSchedule", "ScheduleAnyway"];

export function validateSpread(spec: JsonObject, path: string): readonly FieldError[] {
  const seen = new Set<string>();
  return objectsAt(spec, "topologySpreadConstraints").flatMap((constraint, index) => {
    const at = `${path}[${index}]`;
    const skew = numberAt(constraint, "maxSkew") ?? 0;
    const domains = numberAt(constraint, "minDomains");
    const key = textAt(constraint, "topologyKey");
    const action = textAt(constraint, "whenUnsatisfiable");
    const errors: FieldError[] = [];
    if (skew <= 0) errors.push(invalidField(`${at}.maxSkew`, skew, "must be greater than zero"));
    if (key === "") errors.push(requiredField(`${at}.topologyKey`, "can not be empty"));
    else errors.push(...invalids(`${at}.topologyKey`, key, qualifiedNameFaults(key)));
    if (!ACTIONS.includes(action)) {
      errors.push(unsupportedWord(`${at}.whenUnsatisfiable`, action, ACTIONS));
    }
    const pair = `{${key}, ${action}}`;
    if (seen.has(pair)) errors.push(duplicateField(`${at}.{topologyKey, whenUnsatisfiable}`, pair));
    seen.add(pair);
    if (domains !== undefined && domains <= 0) {
      errors.push(invalidField(`${at}.minDomains`, domains, "must be greater than zero"));
    }
    return [
      ...errors,
      ...validateLabelSelector(objectAt(constraint, "labelSelector"), `${at}.labelSelector`),
    ];
  });
}
