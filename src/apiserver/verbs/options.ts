/** Reads what stands in a query, and refuses what makes no sense, as the API server words it. */
import {
  forbiddenField,
  invalidField,
  tooLongField,
  unsupportedField,
  type FieldError,
} from "../../internal/kubernetes/field-error.ts";
import { goQuote } from "../../internal/go/quote.ts";
import { badRequest, invalid } from "../../kubernetes/index.ts";
import type { FieldValidation } from "../rules.ts";

export interface ListOptions {
  readonly labelSelector: string;
  readonly fieldSelector: string;
  readonly resourceVersion: string;
  readonly resourceVersionMatch: string;
  readonly limit: number;
  readonly continue: string;
  readonly watch: boolean;
  readonly allowWatchBookmarks: boolean;
  readonly sendInitialEvents: boolean | undefined;
  readonly timeoutSeconds: number | undefined;
}

/** @throws StatusError */
export function parseListOptions(query: URLSearchParams): ListOptions {
  const options: ListOptions = {
    labelSelector: query.get("labelSelector") ?? "",
    fieldSelector: query.get("fieldSelector") ?? "",
    resourceVersion: query.get("resourceVersion") ?? "",
    resourceVersionMatch: query.get("resourceVersionMatch") ?? "",
    limit: parseInteger(query, "limit") ?? 0,
    continue: query.get("continue") ?? "",
    watch: parseBoolean(query.get("watch")) ?? false,
    allowWatchBookmarks: parseBoolean(query.get("allowWatchBookmarks")) ?? false,
    sendInitialEvents: parseBoolean(query.get("sendInitialEvents")),
    timeoutSeconds: parseInteger(query, "timeoutSeconds"),
  };
  const errors = options.watch ? checkWatch(options) : checkList(options);
  if (errors.length > 0) throw invalidOptions("ListOptions", errors);
  return options;
}

function checkList(options: ListOptions): readonly FieldError[] {
  const { resourceVersionMatch: match, resourceVersion } = options;
  const errors: FieldError[] = [];
  if (match !== "") {
    if (resourceVersion === "") {
      errors.push(matchForbidden("resourceVersionMatch is forbidden unless resourceVersion is provided"));
    }
    if (options.continue !== "") {
      errors.push(matchForbidden("resourceVersionMatch is forbidden when continue is provided"));
    }
    if (match !== "Exact" && match !== "NotOlderThan") {
      errors.push(unsupportedField("resourceVersionMatch", match, ["Exact", "NotOlderThan", ""]));
    }
    if (match === "Exact" && resourceVersion === "0") {
      errors.push(matchForbidden('resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
    }
  }
  if (options.sendInitialEvents !== undefined) {
    errors.push(forbiddenField("sendInitialEvents", "sendInitialEvents is forbidden for list"));
  }
  return errors;
}

function checkWatch(options: ListOptions): readonly FieldError[] {
  const { resourceVersionMatch: match, sendInitialEvents } = options;
  const errors: FieldError[] = [];
  if (sendInitialEvents !== undefined && match !== "NotOlderThan") {
    errors.push(matchForbidden("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
  }
  if (match === "") return errors;
  if (sendInitialEvents === undefined) {
    errors.push(
      matchForbidden("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"),
    );
  }
  if (match !== "NotOlderThan") {
    errors.push(unsupportedField("resourceVersionMatch", match, ["NotOlderThan"]));
  }
  if (options.continue !== "") {
    errors.push(matchForbidden("resourceVersionMatch is forbidden when continue is provided"));
  }
  return errors;
}

function matchForbidden(detail: string): FieldError {
  return forbiddenField("resourceVersionMatch", detail);
}

export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldValidation: FieldValidation;
  /** Empty where the client gave none. */
  readonly fieldManager: string;
  readonly force: boolean;
}

const VALIDATIONS: readonly string[] = ["Ignore", "Strict", "Warn"];
const MAX_MANAGER = 128;

/**
 * @param kind whose name a refusal has: `CreateOptions`, `UpdateOptions`, `PatchOptions`
 * @throws StatusError
 */
export function parseWriteOptions(query: URLSearchParams, kind: string): WriteOptions {
  const errors: FieldError[] = [];
  const manager = query.get("fieldManager") ?? "";
  errors.push(...checkManager(manager));
  const dryRun = query.getAll("dryRun").filter((one) => one !== "");
  for (const one of dryRun) {
    if (one !== "All") errors.push(unsupportedField("dryRun", one, ["All"]));
  }
  const validation = query.get("fieldValidation") ?? "";
  if (validation !== "" && !VALIDATIONS.includes(validation)) {
    errors.push(unsupportedField("fieldValidation", validation, VALIDATIONS));
  }
  if (errors.length > 0) throw invalidOptions(kind, errors);
  return {
    dryRun: dryRun.length > 0,
    fieldValidation: validation === "" ? "Warn" : (validation as FieldValidation),
    fieldManager: manager,
    force: parseBoolean(query.get("force")) ?? false,
  };
}

function checkManager(manager: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (Buffer.byteLength(manager) > MAX_MANAGER) errors.push(tooLongField("fieldManager", MAX_MANAGER));
  let at = 0;
  for (const character of manager) {
    const isPrintable = /[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(character);
    // Only what can't be printed is told by its number alone.
    const number = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
    if (!isPrintable) {
      errors.push(invalidField("fieldManager", manager, `invalid character U+${number} (at position ${at})`));
    }
    at += Buffer.byteLength(character);
  }
  return errors;
}

export function invalidOptions(kind: string, errors: readonly FieldError[]): Error {
  return invalid({ group: "meta.k8s.io", kind, name: "" }, errors);
}

/** As Go reads query parameters into booleans: there, and not said to be false, is true. */
export function parseBoolean(value: string | null): boolean | undefined {
  if (value === null) return undefined;
  return value.toLowerCase() !== "false" && value !== "0";
}

/** @throws StatusError for what is no number */
export function parseInteger(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === "") return undefined;
  if (!/^[+-]?\d{1,18}$/.test(text)) {
    const why = /^[+-]?\d+$/.test(text) ? "value out of range" : "invalid syntax";
    throw badRequest(`strconv.ParseInt: parsing ${goQuote(text)}: ${why}`);
  }
  return Number(text);
}
