/**
 * Label selectors, in both of their forms:
 *
 * ```text
 * selector    = [ requirement { "," requirement } ]
 * requirement = [ "!" ] key | key ( "=" | "==" | "!=" ) value | key ( "in" | "notin" ) "(" value { "," value } ")"
 *             | key ( ">" | "<" ) integer
 * ```
 *
 * and `matchLabels` with `matchExpressions`, as in the specs of objects.
 */
import { goQuote } from "../../internal/go/quote.ts";
import { compareBytes } from "../../internal/go/utf8.ts";
import { badRequest, type StatusError } from "../objects/status.ts";
import type { Json, JsonObject, KubernetesObject } from "../objects/object.ts";
import {
  labelKeyFault,
  type LabelOperator,
  type LabelRequirement,
  meetsRequirement,
  requirementFault,
} from "./label-requirement.ts";
import { type Token, type TokenKind, tokenize } from "./label-tokens.ts";

/** Conditions that all have to hold; none holds for everything. */
export interface LabelSelector {
  readonly requirements: readonly LabelRequirement[];
  /** Selects nothing at all, as the absence of `matchLabels` and `matchExpressions` together with their object does. */
  readonly nothing?: boolean;
}

/** @throws StatusError (BadRequest) in the API server's words */
export function parseLabelSelector(text: string): LabelSelector {
  return { requirements: new Parser(tokenize(text)).parse() };
}

export function matchesLabels(
  selector: LabelSelector,
  labels: Readonly<Record<string, string>> = {},
): boolean {
  if (selector.nothing === true) return false;
  if (selector.requirements.length === 0) return true;
  const map = new Map(Object.entries(labels));
  return selector.requirements.every((requirement) => meetsRequirement(map, requirement));
}

export function selectsObject(selector: LabelSelector, object: KubernetesObject): boolean {
  return matchesLabels(selector, object.metadata.labels);
}

const EXPRESSIONS: Readonly<Record<string, LabelOperator>> = {
  In: "in",
  NotIn: "notin",
  Exists: "exists",
  DoesNotExist: "!",
};

/**
 * @param selector with `matchLabels` and `matchExpressions`; undefined selects nothing, an empty one everything
 * @throws StatusError (BadRequest) for an operator that is none, and values it can't have
 */
export function readLabelSelector(selector: JsonObject | undefined): LabelSelector {
  if (selector === undefined) return { requirements: [], nothing: true };
  const requirements: LabelRequirement[] = [];
  for (const [key, value] of Object.entries(objectIn(selector["matchLabels"]))) {
    requirements.push({ key, operator: "in", values: [textOf(value)] });
  }
  const expressions = selector["matchExpressions"];
  for (const expression of Array.isArray(expressions) ? (expressions as readonly Json[]) : []) {
    const { key, operator, values } = objectIn(expression);
    const word = textOf(operator);
    const known = Object.hasOwn(EXPRESSIONS, word) ? EXPRESSIONS[word] : undefined;
    if (known === undefined) throw badRequest(`${goQuote(word)} is not a valid label selector operator`);
    const list = Array.isArray(values) ? (values as readonly Json[]) : [];
    requirements.push({ key: textOf(key), operator: known, values: list.map((value) => textOf(value)) });
  }
  for (const requirement of requirements) check(requirement);
  return { requirements };
}

/** As it is written in a query; keys in their order. */
export function formatLabelSelector(selector: LabelSelector): string {
  return selector.requirements
    .toSorted((a, b) => compareBytes(a.key, b.key))
    .map(({ key, operator, values }) => {
      const list = values.toSorted(compareBytes).join(",");
      if (operator === "exists") return key;
      if (operator === "!") return `!${key}`;
      if (operator === "gt" || operator === "lt") return `${key}${operator === "gt" ? ">" : "<"}${list}`;
      return operator === "in" && values.length === 1 ? `${key}=${list}` : `${key} ${operator} (${list})`;
    })
    .join(",");
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parse(): readonly LabelRequirement[] {
    const requirements: LabelRequirement[] = [];
    for (;;) {
      const next = this.#peek();
      if (next.kind === "end") return requirements;
      if (next.kind !== "identifier" && next.kind !== "!") {
        throw badRequest(`found '${next.text}', expected: !, identifier, or 'end of string'`);
      }
      requirements.push(this.#requirement());
      const after = this.#take();
      if (after.kind === "end") return requirements;
      if (after.kind !== ",") throw badRequest(`found '${after.text}', expected: ',' or 'end of string'`);
      const then = this.#peek();
      if (then.kind !== "identifier" && then.kind !== "!") {
        throw badRequest(`found '${then.text}', expected: identifier after ','`);
      }
    }
  }

  #requirement(): LabelRequirement {
    let first = this.#take();
    const absent = first.kind === "!";
    if (absent) first = this.#take();
    if (first.kind !== "identifier") throw unparsable(`found '${first.text}', expected: identifier`);
    const key = first.text;
    const fault = labelKeyFault(key, "<nil>");
    if (fault !== undefined) throw unparsable(fault.message);
    if (absent) return { key, operator: "!", values: [] };
    if (this.#ends()) return { key, operator: "exists", values: [] };
    const operator = this.#operator();
    const isList = operator.word === "in" || operator.word === "notin";
    const values = isList ? this.#values() : [this.#value()];
    const requirement = { key, operator: operator.kind, values };
    const wrong = requirementFault(requirement);
    if (wrong !== undefined) throw unparsable(wrong);
    return requirement;
  }

  #operator(): { readonly kind: LabelOperator; readonly word: TokenKind } {
    const token = this.#tokens[this.#at++] as Token;
    const kind = OPERATORS[token.kind];
    if (kind === undefined) {
      throw unparsable(`found '${token.text}', expected: in, notin, =, ==, !=, gt, lt`);
    }
    return { kind, word: token.kind };
  }

  #value(): string {
    if (this.#ends()) return "";
    const token = this.#take();
    if (token.kind !== "identifier") throw unparsable(`found '${token.text}', expected: identifier`);
    return token.text;
  }

  #values(): readonly string[] {
    const open = this.#take();
    if (open.kind !== "(") throw unparsable(`found '${open.text}' expected: '('`);
    const first = this.#peek();
    if (first.kind === ")") {
      this.#take();
      return [""];
    }
    if (first.kind !== "identifier" && first.kind !== ",") {
      throw unparsable(`found '${first.text}', expected: ',', ')' or identifier`);
    }
    const values = this.#identifiers();
    this.#take();
    return [...values].toSorted(compareBytes);
  }

  /** Up to the closing bracket; a comma without a neighbour stands for an empty value. */
  #identifiers(): ReadonlySet<string> {
    const values = new Set<string>();
    for (;;) {
      const token = this.#take();
      if (token.kind === "identifier") {
        values.add(token.text);
        const next = this.#peek();
        if (next.kind === ")") return values;
        if (next.kind !== ",") throw unparsable(`found '${next.text}', expected: ',' or ')'`);
      } else if (token.kind === ",") {
        if (values.size === 0) values.add("");
        const next = this.#peek();
        if (next.kind === "," || next.kind === ")") values.add("");
        if (next.kind === ")") return values;
        if (next.kind === ",") this.#take();
      } else throw unparsable(`found '${token.text}', expected: ',', or identifier`);
    }
  }

  #ends(): boolean {
    const { kind } = this.#peek();
    return kind === "end" || kind === ",";
  }

  #take(): Token {
    const token = this.#peek();
    if (token.kind !== "end") this.#at++;
    return token;
  }

  /** Where values may stand, `in` and `notin` are values, too. */
  #peek(): Token {
    const token = this.#tokens[this.#at] as Token;
    return token.kind === "in" || token.kind === "notin" ? { kind: "identifier", text: token.text } : token;
  }
}

const OPERATORS: Readonly<Partial<Record<TokenKind, LabelOperator>>> = {
  in: "in",
  notin: "notin",
  "=": "in",
  "==": "in",
  "!=": "notin",
  ">": "gt",
  "<": "lt",
};

function check(requirement: LabelRequirement): void {
  const fault = requirementFault(requirement);
  if (fault !== undefined) throw badRequest(fault);
}

function unparsable(text: string): StatusError {
  return badRequest(`unable to parse requirement: ${text}`);
}

function objectIn(value: Json | undefined): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}
