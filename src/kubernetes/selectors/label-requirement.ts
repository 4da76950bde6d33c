/** One condition on labels, whichever way it was written. */
import {
  aggregate,
  type FieldError,
  invalidField,
  unsupportedField,
} from "../../internal/kubernetes/field-error.ts";
import { qualifiedNameFaults } from "../../internal/kubernetes/qualified-name.ts";

export type LabelOperator = "in" | "notin" | "exists" | "!" | "gt" | "lt";

export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  readonly values: readonly string[];
}

const MAX_INT64 = 2n ** 63n;
const VALUE_LIMIT = 63;
const VALUE = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";
const VALUE_PATTERN = new RegExp(`^${VALUE}$`);
const VALUE_RULE = `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '${VALUE}')`;

const SYMBOLS: Readonly<Record<LabelOperator, string>> = {
  in: "in",
  notin: "notin",
  exists: "exists",
  "!": "!",
  gt: "gt",
  lt: "lt",
};

export function labelValueFaults(value: string): readonly string[] {
  const faults: string[] = [];
  if (Buffer.byteLength(value) > VALUE_LIMIT) faults.push(`must be no more than ${VALUE_LIMIT} bytes`);
  if (!VALUE_PATTERN.test(value)) faults.push(VALUE_RULE);
  return faults;
}

/** @param path where it stands; `<nil>` in queries, as Go prints what isn't there */
export function labelKeyFault(key: string, path: string): FieldError | undefined {
  const faults = qualifiedNameFaults(key);
  return faults.length === 0 ? undefined : invalidField(path, key, faults.join("; "));
}

/** Undefined for a requirement that can be met; otherwise all that is wrong with it. */
export function requirementFault(requirement: LabelRequirement): string | undefined {
  const { key, operator, values } = requirement;
  const faults: FieldError[] = [];
  const keyFault = labelKeyFault(key, "key");
  if (keyFault !== undefined) faults.push(keyFault);
  if (!Object.hasOwn(SYMBOLS, operator)) {
    faults.push(unsupportedField("operator", operator, Object.values(SYMBOLS)));
  }
  if ((operator === "in" || operator === "notin") && values.length === 0) {
    faults.push(invalidField("values", values, "for 'in', 'notin' operators, values set can't be empty"));
  }
  if (operator === "exists" || operator === "!") {
    if (values.length > 0) {
      faults.push(invalidField("values", values, "values set must be empty for exists and does not exist"));
    }
  }
  if (operator === "gt" || operator === "lt") faults.push(...numberFaults(values));
  for (const [at, value] of values.entries()) {
    const found = labelValueFaults(value);
    if (found.length > 0) faults.push(invalidField(`values[${at}][${key}]`, value, found.join("; ")));
  }
  return faults.length === 0 ? undefined : aggregate(faults.map((fault) => fault.message));
}

export function meetsRequirement(
  labels: ReadonlyMap<string, string>,
  requirement: LabelRequirement,
): boolean {
  const { key, operator, values } = requirement;
  const value = labels.get(key);
  switch (operator) {
    case "in":
      return value !== undefined && values.includes(value);
    case "notin":
      return value === undefined || !values.includes(value);
    case "exists":
      return value !== undefined;
    case "!":
      return value === undefined;
    case "gt":
    case "lt": {
      const number = value === undefined ? undefined : parseInteger(value);
      const limit = parseInteger(values[0] ?? "");
      if (number === undefined || limit === undefined) return false;
      return operator === "gt" ? number > limit : number < limit;
    }
  }
}

function numberFaults(values: readonly string[]): FieldError[] {
  const faults: FieldError[] = [];
  if (values.length !== 1) {
    faults.push(invalidField("values", values, "for 'Gt', 'Lt' operators, exactly one value is required"));
  }
  for (const [at, value] of values.entries()) {
    if (parseInteger(value) !== undefined) continue;
    const why = "for 'Gt', 'Lt' operators, the value must be an integer";
    faults.push(invalidField(`values[${at}]`, value, why));
  }
  return faults;
}

function parseInteger(text: string): bigint | undefined {
  if (!/^[-+]?[0-9]{1,40}$/.test(text)) return undefined;
  const value = BigInt(text.startsWith("+") ? text.slice(1) : text);
  return value >= -MAX_INT64 && value < MAX_INT64 ? value : undefined;
}
