/** How firmly a Pod's resources are promised, which decides who goes first when a node runs out. */
import { entriesAt, objectAt, objectsAt, scalarText } from "../objects/fields.ts";
import type { JsonObject } from "../objects/object.ts";
import { parseQuantity } from "../objects/quantity.ts";

const COUNTED = ["cpu", "memory"];

export type QosClass = "BestEffort" | "Burstable" | "Guaranteed";

export function qosClassOf(spec: JsonObject): QosClass {
  const whole = objectAt(spec, "resources");
  const holders =
    whole === undefined
      ? [...objectsAt(spec, "containers"), ...objectsAt(spec, "initContainers")].map(
          (container) => objectAt(container, "resources") ?? {},
        )
      : [whole];
  const amounts = holders.map((resources) => ({
    limits: amountsOf(resources, "limits"),
    requests: amountsOf(resources, "requests"),
  }));
  if (amounts.every(({ limits, requests }) => limits.size === 0 && requests.size === 0)) return "BestEffort";
  const firm = amounts.every(({ limits, requests }) =>
    COUNTED.every(
      (name) => limits.has(name) && limits.get(name) === (requests.get(name) ?? limits.get(name)),
    ),
  );
  return firm ? "Guaranteed" : "Burstable";
}

/** Of what counts, and isn't nothing. */
function amountsOf(resources: JsonObject, member: string): ReadonlyMap<string, bigint> {
  const amounts = new Map<string, bigint>();
  for (const [name, value] of entriesAt(resources, member)) {
    const amount = parseQuantity(scalarText(value)) ?? 0n;
    if (COUNTED.includes(name) && amount > 0n) amounts.set(name, amount);
  }
  return amounts;
}
