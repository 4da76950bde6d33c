/** What is wrong with a field of an object, in the words Kubernetes' validation has for it. */
import { encodeJson, type GoJson } from "../go/json-encode.ts";
import { goQuote } from "../go/quote.ts";

export type FieldErrorType =
  | "Required"
  | "Forbidden"
  | "Invalid"
  | "TypeInvalid"
  | "Duplicate"
  | "NotFound"
  | "NotSupported"
  | "TooLong"
  | "TooMany";

export interface FieldError {
  readonly type: FieldErrorType;
  readonly field: string;
  /** The whole sentence. */
  readonly message: string;
}

const TYPES: Readonly<Record<FieldErrorType, string>> = {
  Required: "Required value",
  Forbidden: "Forbidden",
  Invalid: "Invalid value",
  TypeInvalid: "Invalid value",
  Duplicate: "Duplicate value",
  NotFound: "Not found",
  NotSupported: "Unsupported value",
  TooLong: "Too long",
  TooMany: "Too many",
};

export function requiredField(field: string, detail: string = ""): FieldError {
  return fieldError("Required", field, [detail]);
}

export function forbiddenField(field: string, detail: string): FieldError {
  return fieldError("Forbidden", field, [detail]);
}

/** @param value null is a pointer to nothing, undefined a map or list that isn't there */
export function invalidField(field: string, value: GoJson | undefined, detail: string): FieldError {
  return fieldError("Invalid", field, [format(value), detail]);
}

/** Of a text that has a type of its own, such as a policy; it is shown as JSON. */
export function invalidWord(field: string, value: string, detail: string): FieldError {
  return fieldError("Invalid", field, [encodeJson(value), detail]);
}

export function duplicateField(field: string, value: GoJson): FieldError {
  return fieldError("Duplicate", field, [format(value)]);
}

export function unsupportedField(field: string, value: string, supported: readonly string[]): FieldError {
  return fieldError("NotSupported", field, [format(value), choices(supported)]);
}

/** Of a whole object in which something isn't supported; it is shown as JSON. */
export function unsupportedValue(field: string, value: GoJson, supported: readonly string[]): FieldError {
  return fieldError("NotSupported", field, [encodeJson(value), choices(supported)]);
}

/** Of a text that has a type of its own, such as a policy; it is shown as JSON. */
export function unsupportedWord(field: string, value: string, supported: readonly string[]): FieldError {
  return fieldError("NotSupported", field, [encodeJson(value), choices(supported)]);
}

/** Where a type is wrong that the schema left open. */
export function typeInvalidField(field: string, detail: string): FieldError {
  return fieldError("TypeInvalid", field, [detail]);
}

/** A reference to something that isn't there. */
export function notFoundField(field: string, value: GoJson): FieldError {
  return fieldError("NotFound", field, [format(value)]);
}

/** @param limit in bytes; what was too long is not repeated */
export function tooLongField(field: string, limit: number): FieldError {
  return fieldError("TooLong", field, [`may not be more than ${limit} bytes`]);
}

export function tooManyField(field: string, count: number, limit: number): FieldError {
  const items = limit === 1 ? "item" : "items";
  return fieldError("TooMany", field, [String(count), `must have at most ${limit} ${items}`]);
}

/** Several failures as one text: each once, in brackets unless there's only one. */
export function aggregate(messages: Iterable<string>): string {
  const different = [...new Set(messages)];
  return different.length === 1 ? (different[0] ?? "") : `[${different.join(", ")}]`;
}

function fieldError(type: FieldErrorType, field: string, parts: readonly string[]): FieldError {
  // A field without a name, which stands for the whole object, keeps its place before the colon.
  const message = [field, TYPES[type], ...parts.filter((part) => part !== "")].join(": ");
  return { type, field, message };
}

function choices(supported: readonly string[]): string {
  return `supported values: ${supported.map((one) => goQuote(one)).join(", ")}`;
}

function format(value: GoJson | undefined): string {
  if (value === undefined) return "null";
  // The API server shows a pointer to nothing as a text.
  return typeof value === "string" || value === null ? goQuote(value ?? "null") : encodeJson(value);
}
