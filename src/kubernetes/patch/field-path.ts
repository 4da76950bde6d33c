/** Paths of fields in messages: `.spec.containers[name="web"].image`. */
import { goQuote } from "../../internal/go/quote.ts";
import type { Json } from "../objects/object.ts";
import { formatGoValue } from "./go-value.ts";
import { isObject, membersOf } from "./json.ts";

/** @param steps as in a set of fields */
export function formatFieldPath(steps: readonly string[]): string {
  return steps.map((step) => formatStep(step)).join("");
}

function formatStep(step: string): string {
  const rest = step.slice(2);
  if (step.startsWith("f:")) return `.${rest}`;
  if (step.startsWith("i:")) return `[${rest}]`;
  const value = JSON.parse(rest) as Json;
  if (step.startsWith("v:") || !isObject(value)) return `[=${formatValue(value)}]`;
  return `[${membersOf(value)
    .map(([name, one]) => `${name}=${formatValue(one)}`)
    .join(",")}]`;
}

function formatValue(value: Json): string {
  if (value === null) return "null";
  return typeof value === "string" ? goQuote(value) : formatGoValue(value);
}
