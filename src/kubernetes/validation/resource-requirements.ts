/** What holds for what a container asks for and may use. */
import {
  type FieldError,
  invalidField,
  notFoundField,
  requiredField,
} from "../../internal/kubernetes/field-error.ts";
import { qualifiedNameFaults } from "../../internal/kubernetes/qualified-name.ts";
import { entriesAt, objectsAt, scalarText, textAt } from "../objects/fields.ts";
import type { JsonObject } from "../objects/object.ts";
import { ONE, parseQuantity, type Quantity } from "../objects/quantity.ts";
import { invalids } from "./metadata.ts";

const STANDARD = ["cpu", "memory", "ephemeral-storage"];
const HUGE_PAGES = "hugepages-";
const NEGATIVE = "must be greater than or equal to 0";

export function validateResources(
  resources: JsonObject | undefined,
  claims: ReadonlySet<string>,
  path: string,
): readonly FieldError[] {
  const limits = amounts(resources, "limits");
  const requests = amounts(resources, "requests");
  return [
    ...[...limits].flatMap(([name, amount]) => validateAmount(name, amount, `${path}.limits[${name}]`)),
    ...[...requests].flatMap(([name, amount]) => [
      ...validateAmount(name, amount, `${path}.requests[${name}]`),
      ...validateAgainstLimit(name, amount, limits.get(name), path),
    ]),
    ...objectsAt(resources, "claims").flatMap((claim, index) => {
      const name = textAt(claim, "name");
      if (name === "") return [requiredField(`${path}.claims[${index}]`)];
      return claims.has(name) ? [] : [notFoundField(`${path}.claims[${index}]`, name)];
    }),
  ];
}

/** @param text as it's written, and as errors show it */
export function validateQuantity(text: string, path: string): readonly FieldError[] {
  return (parseQuantity(text) ?? 0n) < 0n ? [invalidField(path, text, NEGATIVE)] : [];
}

function validateAmount(name: string, { text, value }: Amount, path: string): readonly FieldError[] {
  const errors = [...validateResourceName(name, path), ...validateQuantity(text, path)];
  const whole = !STANDARD.includes(name) && !name.startsWith(HUGE_PAGES);
  return whole && value % ONE !== 0n ? [...errors, invalidField(path, text, "must be an integer")] : errors;
}

function validateResourceName(name: string, path: string): readonly FieldError[] {
  const faults = qualifiedNameFaults(name);
  if (faults.length > 0) return invalids(path, name, faults);
  if (!name.includes("/")) {
    const standard = STANDARD.includes(name) || name.startsWith(HUGE_PAGES);
    return standard ? [] : [invalidField(path, name, "must be a standard resource for containers")];
  }
  const native = name.includes("kubernetes.io/");
  if (native || !name.startsWith("requests.")) return [];
  return [invalidField(path, name, "doesn't follow extended resource name standard")];
}

function validateAgainstLimit(
  name: string,
  asked: Amount,
  limit: Amount | undefined,
  path: string,
): readonly FieldError[] {
  // What isn't the machine's own can't be lent twice.
  const shared = !name.startsWith(HUGE_PAGES) && (!name.includes("/") || name.includes("kubernetes.io/"));
  if (limit === undefined) {
    const why = "Limit must be set for non overcommitable resources";
    return shared ? [] : [requiredField(`${path}.limits`, why)];
  }
  const rest = `to ${name} limit of ${limit.text}`;
  if (!shared && asked.value !== limit.value) {
    return [invalidField(`${path}.requests`, asked.text, `must be equal ${rest}`)];
  }
  if (asked.value <= limit.value) return [];
  return [invalidField(`${path}.requests`, asked.text, `must be less than or equal ${rest}`)];
}

interface Amount {
  readonly text: string;
  readonly value: Quantity;
}

function amounts(resources: JsonObject | undefined, member: string): ReadonlyMap<string, Amount> {
  const found = entriesAt(resources, member).map(([name, value]): [string, Amount] => {
    const text = scalarText(value);
    return [name, { text, value: parseQuantity(text) ?? 0n }];
  });
  return new Map(found);
}
