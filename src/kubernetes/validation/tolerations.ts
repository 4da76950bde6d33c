/** What holds for the taints that a Pod puts up with. */
import {
  type FieldError,
  forbiddenField,
  invalidField,
  invalidWord,
  unsupportedWord,
} from "../../internal/kubernetes/field-error.ts";
import { qualifiedNameFaults } from "../../internal/kubernetes/qualified-name.ts";
import { isAbsent, sameJson, textAt, withMembers } from "../objects/fields.ts";
import type { JsonObject } from "../objects/object.ts";
import { invalids } from "./metadata.ts";
import { labelValueFaults } from "./names.ts";
import { printShape } from "./go-shape.ts";

const OPERATORS = ["Equal", "Exists"];
const EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

export function validateTolerations(tolerations: readonly JsonObject[], path: string): readonly FieldError[] {
  return tolerations.flatMap((toleration, index) => {
    const at = `${path}[${index}]`;
    const key = textAt(toleration, "key");
    const effect = textAt(toleration, "effect");
    const operator = textAt(toleration, "operator");
    const errors: FieldError[] = key === "" ? [] : [...invalids(`${at}.key`, key, qualifiedNameFaults(key))];
    if (key === "" && operator !== "Exists") {
      const why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"';
      errors.push(invalidWord(`${at}.operator`, operator, why));
    }
    if (!isAbsent(toleration["tolerationSeconds"]) && effect !== "NoExecute") {
      const why = "effect must be 'NoExecute' when `tolerationSeconds` is set";
      errors.push(invalidWord(`${at}.effect`, effect, why));
    }
    errors.push(...validateOperator(toleration, at));
    if (effect !== "" && !EFFECTS.includes(effect)) {
      errors.push(unsupportedWord(`${at}.effect`, effect, EFFECTS));
    }
    return errors;
  });
}

/** Of a Pod that is there already: how long may change, and there may be more. */
export function validateAddedTolerations(
  tolerations: readonly JsonObject[],
  old: readonly JsonObject[],
  path: string,
): readonly FieldError[] {
  const timeless = (one: JsonObject): JsonObject => withMembers(one, { tolerationSeconds: undefined });
  const lost = old.filter((one) => !tolerations.some((other) => sameJson(timeless(other), timeless(one))));
  const why = "existing toleration can not be modified except its tolerationSeconds";
  return [...lost.map(() => forbiddenField(path, why)), ...validateTolerations(tolerations, path)];
}

function validateOperator(toleration: JsonObject, path: string): readonly FieldError[] {
  const operator = textAt(toleration, "operator");
  const value = textAt(toleration, "value");
  const at = `${path}.operator`;
  if (operator === "Exists") {
    if (value === "") return [];
    const whole = JSON.parse(printShape(toleration, "Toleration")) as never;
    return [invalidField(at, whole, "value must be empty when `operator` is 'Exists'")];
  }
  if (operator !== "" && operator !== "Equal") return [unsupportedWord(at, operator, OPERATORS)];
  const faults = labelValueFaults(value);
  return faults.length === 0 ? [] : [invalidField(at, value, faults.join(";"))];
}
