/** JSON values in messages, as Go prints them. */
import { goQuote } from "../../internal/go/quote.ts";
import { compareBytes } from "../../internal/go/utf8.ts";
import type { Json } from "../objects/object.ts";
import { isList, isObject, membersOf } from "./json.ts";

/** As `%v` has it: `map[name:web ports:[80 443]]`. */
export function formatGoValue(value: Json | undefined): string {
  if (value === undefined || value === null) return "<nil>";
  if (isList(value)) return `[${value.map((item) => formatGoValue(item)).join(" ")}]`;
  if (!isObject(value)) return String(value);
  const members = membersOf(value).toSorted(([a], [b]) => compareBytes(a, b));
  return `map[${members.map(([name, member]) => `${name}:${formatGoValue(member)}`).join(" ")}]`;
}

/** As `%#v` has it: `map[string]interface {}{"name":"web"}`. */
export function formatGoSyntax(value: Json): string {
  if (value === null) return "interface {}(nil)";
  if (typeof value === "string") return goQuote(value);
  if (isList(value)) return `[]interface {}{${value.map((item) => formatGoSyntax(item)).join(", ")}}`;
  if (!isObject(value)) return String(value);
  const members = membersOf(value).toSorted(([a], [b]) => compareBytes(a, b));
  const texts = members.map(([name, member]) => `${goQuote(name)}:${formatGoSyntax(member)}`);
  return `map[string]interface {}{${texts.join(", ")}}`;
}

/** The type of a decoded JSON value. */
export function goTypeOf(value: Json | undefined): string {
  if (value === undefined || value === null) return "<nil>";
  if (isList(value)) return "[]interface {}";
  if (isObject(value)) return "map[string]interface {}";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "string") return "string";
  return Number.isSafeInteger(value) ? "int64" : "float64";
}

/** Its name among the words of JSON, where Go says what it can't decode. */
export function wireTypeOf(value: Json): string {
  if (value === null) return "null";
  if (isList(value)) return "array";
  if (typeof value === "boolean") return "bool";
  return typeof value;
}
