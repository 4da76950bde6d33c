import type { Container } from "../../kubernetes/index.ts";
import type { QosClass } from "./pod-status.ts";

const COUNTED = ["cpu", "memory"] as const;

/** How sure a Pod is of what it runs on, from what its containers ask for. */
export function qosClassOf(containers: readonly Container[]): QosClass {
  let asked = false;
  let guaranteed = true;
  for (const { resources } of containers) {
    for (const name of COUNTED) {
      const limit = quantityOf(resources?.limits, name);
      // What is limited and not asked for is asked for as much as it is limited.
      const request = quantityOf(resources?.requests, name) || limit;
      if (limit !== 0 || request !== 0) asked = true;
      if (limit === 0 || request !== limit) guaranteed = false;
    }
  }
  if (!asked) return "BestEffort";
  return guaranteed ? "Guaranteed" : "Burstable";
}

const QUANTITY = /^([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?[0-9]+))?$/;
const POWERS = { n: -9, u: -6, m: -3, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const BINARY = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/** 0 for none, and for what is no quantity. */
function quantityOf(list: Readonly<Record<string, string>> | undefined, name: string): number {
  const text = list !== undefined && Object.hasOwn(list, name) ? list[name] : undefined;
  const [, digits, suffix = "", exponent = "0"] = QUANTITY.exec(text ?? "") ?? [];
  if (digits === undefined) return 0;
  const binary = BINARY.indexOf(suffix);
  if (binary !== -1) return Number(digits) * 1024 ** (binary + 1);
  const power = suffix in POWERS ? POWERS[suffix as keyof typeof POWERS] : Number(exponent);
  return Number(`${digits}e${power}`);
}
