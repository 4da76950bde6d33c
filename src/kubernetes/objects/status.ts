/**
 * The answer of an API server that could not do what was asked. Reasons, codes and messages are those of
 * Kubernetes, so that clients recognise them.
 */
import { DrayError } from "../../errors.ts";
import type { FieldError } from "../../internal/kubernetes/field-error.ts";
import { aggregate } from "../../internal/kubernetes/field-error.ts";
import { goQuote } from "../../internal/go/quote.ts";
import type { JsonObject } from "./object.ts";

const CODES = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Expired: 410,
  Gone: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
} as const;

export type StatusReason = keyof typeof CODES;

export interface StatusCause extends JsonObject {
  readonly reason?: string;
  readonly message?: string;
  readonly field?: string;
}

export interface StatusDetails extends JsonObject {
  readonly name?: string;
  readonly group?: string;
  /** The resource for what was not found, the kind for what is invalid. */
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

/** `kind: Status`, as it goes over the wire. */
export interface Status extends JsonObject {
  readonly kind: "Status";
  readonly apiVersion: "v1";
  readonly metadata: JsonObject;
  readonly status: "Success" | "Failure";
  readonly message?: string;
  /** A `StatusReason`, or a word of an admission webhook's own. */
  readonly reason?: string;
  readonly details?: StatusDetails;
  readonly code?: number;
}

/** A refusal that a client is meant to read. `code` is the Status' reason; `status` is the whole answer. */
export class StatusError extends DrayError<string> {
  override readonly name: string = "StatusError";
  readonly status: Status;

  constructor(status: Status, options?: { readonly cause?: unknown }) {
    super(
      status.reason ?? "InternalError",
      status.message ?? "the server answered without a message",
      options,
    );
    this.status = status;
  }
}

/** @param reason also decides the HTTP code */
export function failure(reason: StatusReason, message: string, details?: StatusDetails): StatusError {
  return failed(message, CODES[reason], { reason, ...(details && { details }) });
}

/** A failure that the API server has no reason for: code 500, and nothing but the text. */
export function unexplained(message: string): StatusError {
  return failed(message, 500);
}

function failed(message: string, code: number, why: Pick<Status, "reason" | "details"> = {}): StatusError {
  return new StatusError({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    ...why,
    code,
  });
}

/** What a refusal is about: a resource (`pods`) or, where something is invalid, a kind (`Pod`). */
export interface Subject {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
}

/** `pods "web" not found` */
export function notFound(subject: Subject): StatusError {
  return failure("NotFound", `${title(subject)} ${goQuote(subject.name)} not found`, detailsOf(subject));
}

export function alreadyExists(subject: Subject): StatusError {
  const message = `${title(subject)} ${goQuote(subject.name)} already exists`;
  return failure("AlreadyExists", message, detailsOf(subject));
}

export function conflict(subject: Subject, why: string): StatusError {
  const message = `Operation cannot be fulfilled on ${title(subject)} ${goQuote(subject.name)}: ${why}`;
  return failure("Conflict", message, detailsOf(subject));
}

/** `pods "web" is forbidden: why`; without a name, the words are those for the whole resource. */
export function forbidden(subject: Subject, why: string): StatusError {
  const message =
    subject.name === ""
      ? `${title(subject)} is forbidden: ${why}`
      : `${title(subject)} ${goQuote(subject.name)} is forbidden: ${why}`;
  return failure("Forbidden", message, detailsOf(subject));
}

/** @param subject with the kind, as in `Pod "web" is invalid` */
export function invalid(subject: Subject, errors: readonly FieldError[]): StatusError {
  const causes = errors.map((error) => causeOf(error));
  const text = aggregate(errors.map((error) => error.message));
  const message = `${title(subject)} ${goQuote(subject.name)} is invalid: ${text}`;
  return failure("Invalid", message, { ...detailsOf(subject), causes });
}

export function badRequest(message: string): StatusError {
  return failure("BadRequest", message);
}

function causeOf(error: FieldError): StatusCause {
  const reason = `FieldValue${error.type}`;
  const prefix = `${error.field}: `;
  const message = error.message.startsWith(prefix) ? error.message.slice(prefix.length) : error.message;
  return { reason, message, field: error.field };
}

function title(subject: Subject): string {
  return subject.group === "" ? subject.kind : `${subject.kind}.${subject.group}`;
}

function detailsOf(subject: Subject): StatusDetails {
  return {
    ...(subject.name !== "" && { name: subject.name }),
    ...(subject.group !== "" && { group: subject.group }),
    kind: subject.kind,
  };
}
