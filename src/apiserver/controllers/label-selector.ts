import type { JsonObject } from "../../kubernetes/index.ts";
import { isObject, listOf, member, textOf } from "./objects.ts";

export type Labels = Readonly<Record<string, string>>;

/** A workload's `spec.selector`. What selects nothing in particular selects nothing: it would take all Pods there are. */
export function matchesSelector(selector: JsonObject, labels: Labels = {}): boolean {
  const wanted = Object.entries(member(selector, "matchLabels"));
  const expressions = listOf(selector, "matchExpressions");
  if (wanted.length === 0 && expressions.length === 0) return false;
  return (
    wanted.every(([name, value]) => labels[name] === value) &&
    expressions.every((expression) => matchesExpression(expression, labels))
  );
}

/** The selector of a ReplicationController: labels and nothing else. */
export function asSelector(labels: unknown): JsonObject {
  return isObject(labels) ? { matchLabels: labels } : {};
}

function matchesExpression(expression: JsonObject, labels: Labels): boolean {
  const value = labels[textOf(expression, "key") ?? ""];
  const values = Array.isArray(expression["values"]) ? (expression["values"] as unknown[]) : [];
  switch (textOf(expression, "operator")) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case undefined:
    default:
      return false;
  }
}
