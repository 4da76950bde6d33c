/**
 * Field selectors: `spec.nodeName=lab1,status.phase!=Running`. In values, `\,`, `\=` and `\\` stand for themselves.
 */
import { compareBytes } from "../../internal/go/utf8.ts";
import { badRequest } from "../objects/status.ts";
import type { KubernetesObject } from "../objects/object.ts";
import { type SelectableKind, selectableKind } from "./selectable-fields.ts";

export interface FieldTerm {
  readonly field: string;
  readonly equals: boolean;
  readonly value: string;
}

export interface FieldSelector {
  readonly terms: readonly FieldTerm[];
  readonly kind: SelectableKind;
}

/** @throws StatusError (BadRequest) for what can't be read, and for fields that objects of the kind can't be found by */
export function parseFieldSelector(
  text: string,
  of: { readonly kind: string; readonly apiVersion: string },
): FieldSelector {
  const kind = selectableKind(of.kind, of.apiVersion);
  const terms = splitTerms(text)
    .toSorted(compareBytes)
    .filter((term) => term !== "")
    .map((term) => parseTerm(term, text));
  return { kind, terms: terms.map((term) => ({ ...term, field: resolve(kind, term.field) })) };
}

export function matchesFields(selector: FieldSelector, object: KubernetesObject): boolean {
  return selector.terms.every(
    ({ field, equals, value }) => (selector.kind.read(object, field) === value) === equals,
  );
}

/** The one value that a field has to have, if the selector says so: lists by name need not look at anything else. */
export function requiredValue(selector: FieldSelector, field: string): string | undefined {
  return selector.terms.find((term) => term.field === field && term.equals)?.value;
}

function resolve(kind: SelectableKind, field: string): string {
  const resolved = kind.resolve(field);
  if ("refusal" in resolved) throw badRequest(resolved.refusal);
  return resolved.field;
}

/** At commas that no backslash stands before. */
function splitTerms(text: string): readonly string[] {
  const terms: string[] = [];
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === ",") {
      terms.push(text.slice(start, at));
      start = at + 1;
    }
  }
  terms.push(text.slice(start));
  return terms;
}

function parseTerm(term: string, selector: string): FieldTerm {
  const found = /!=|==?/.exec(term);
  if (found === null) throw badRequest(`invalid selector: '${selector}'; can't understand '${term}'`);
  const [operator] = found;
  return {
    field: term.slice(0, found.index),
    equals: operator !== "!=",
    value: unescape(term.slice(found.index + operator.length)),
  };
}

function unescape(value: string): string {
  const plain = value.replaceAll(/\\([\\,=])/g, "");
  const escape = /\\(.?)/su.exec(plain);
  const bare = /[,=]/.exec(plain);
  if (escape !== null && (bare === null || escape.index < bare.index)) {
    throw badRequest(`invalid field selector: invalid escape sequence: ${escape[0]}`);
  }
  // Go prints characters as numbers.
  if (bare !== null) {
    throw badRequest(`invalid field selector: unescaped character in value: ${bare[0].charCodeAt(0)}`);
  }
  return value.replaceAll(/\\([\\,=])/g, "$1");
}
