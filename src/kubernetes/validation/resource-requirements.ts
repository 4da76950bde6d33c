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
import { formatQuantity, parseQuantity, type Quantity } from "../objects/quantity.ts";
import { invalids } from "./metadata.ts";

const STANDARD = ["cpu", "memory", "ephemeral-storage"];
const HUGE_PAGES = "hugepages-";
const NEGATIVE = "must be greater than or equal to 0";
const NANO = 10n ** 9n;

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

/** What a name of a resource must be outside containers as well. */
export function validateQuantity(amount: Quantity, path: string): readonly FieldError[] {
  return amount.nano < 0n ? [invalidField(path, formatQuantity(amount), NEGATIVE)] : [];
}

function validateAmount(name: string, amount: Quantity, path: string): readonly FieldError[] {
  const errors = [...validateResourceName(name, path), ...validateQuantity(amount, path)];
  const whole = !["cpu", "memory", "ephemeral-storage"].includes(name) && !name.startsWith(HUGE_PAGES);
  if (whole && amount.nano % NANO !== 0n) {
    errors.push(invalidField(path, formatQuantity(amount), "must be an integer"));
  }
  return errors;
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
  amount: Quantity,
  limit: Quantity | undefined,
  path: string,
): readonly FieldError[] {
  // What isn't the machine's own can't be lent twice.
  const shared = !name.startsWith(HUGE_PAGES) && (!name.includes("/") || name.includes("kubernetes.io/"));
  if (limit === undefined) {
    return shared
      ? []
      : [requiredField(`${path}.limits`, "Limit must be set for non overcommitable resources")];
  }
  const [asked, allowed] = [formatQuantity(amount), formatQuantity(limit)];
  if (!shared && amount.nano !== limit.nano) {
    return [invalidField(`${path}.requests`, asked, `must be equal to ${name} limit of ${allowed}`)];
  }
  if (amount.nano <= limit.nano) return [];
  return [
    invalidField(`${path}.requests`, asked, `must be less than or equal to ${name} limit of ${allowed}`),
  ];
}

function amounts(resources: JsonObject | undefined, member: string): ReadonlyMap<string, Quantity> {
  const found = entriesAt(resources, member).map(([name, value]): [string, Quantity] => [
    name,
    parseQuantity(scalarText(value)) ?? { nano: 0n, style: "decimal" },
  ]);
  return new Map(found);
}
