import { parseJson } from "../../internal/go/json-parse.ts";
import { GoError } from "../../internal/go/errors.ts";
import { invalidField, type FieldError, unsupportedField } from "../../internal/kubernetes/field-error.ts";
import { badRequest, type Json, type JsonObject, wireTypeOf } from "../../kubernetes/index.ts";
import type { ApiRules, BodyKind } from "../rules.ts";
import type { CallBody } from "./context.ts";
import { invalidOptions, parseBoolean, parseInteger } from "./options.ts";

export type PropagationPolicy = "Orphan" | "Background" | "Foreground";

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number | undefined;
  readonly propagationPolicy?: PropagationPolicy | undefined;
  readonly orphanDependents?: boolean | undefined;
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly dryRun: boolean;
}

const KIND: BodyKind = {
  group: "",
  version: "v1",
  kind: "DeleteOptions",
  schema: "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
  message: "k8s.io.apimachinery.pkg.apis.meta.v1.DeleteOptions",
};

const POLICIES: readonly string[] = ["Background", "Foreground", "Orphan"];

/** From the body, where there is one, else from the query. */
export function parseDeleteOptions(rules: ApiRules, body: CallBody, query: URLSearchParams): DeleteOptions {
  const given = body.bytes.length > 0 ? readBody(rules, body) : readQuery(query);
  const dryRun = [...strings(given["dryRun"]), ...query.getAll("dryRun")].filter((one) => one !== "");
  return checkDeleteOptions(given, dryRun);
}

/** As they stand in an Eviction, too. */
export function checkDeleteOptions(given: JsonObject, dryRun: readonly string[]): DeleteOptions {
  const errors: FieldError[] = [];
  const { gracePeriodSeconds: grace, propagationPolicy: policy, orphanDependents: orphan } = given;
  if (typeof policy === "string" && !POLICIES.includes(policy)) {
    errors.push(unsupportedField("propagationPolicy", policy, [...POLICIES, "nil"]));
  }
  if (typeof orphan === "boolean" && typeof policy === "string") {
    errors.push(
      invalidField(
        "propagationPolicy",
        policy,
        "orphanDependents and deletionPropagation cannot be both set",
      ),
    );
  }
  for (const one of dryRun) if (one !== "All") errors.push(unsupportedField("dryRun", one, ["All"]));
  if (errors.length > 0) throw invalidOptions("DeleteOptions", errors);
  const preconditions = (given["preconditions"] ?? {}) as { uid?: string; resourceVersion?: string };
  return {
    gracePeriodSeconds: typeof grace === "number" ? grace : undefined,
    propagationPolicy: typeof policy === "string" ? (policy as PropagationPolicy) : undefined,
    orphanDependents: typeof orphan === "boolean" ? orphan : undefined,
    uid: preconditions.uid,
    resourceVersion: preconditions.resourceVersion,
    dryRun: dryRun.length > 0,
  };
}

/** Clients send them without saying what they are. */
function readBody(rules: ApiRules, body: CallBody): JsonObject {
  const mediaType = (body.contentType.split(";")[0] ?? "").trim().toLowerCase();
  if (mediaType !== "" && mediaType !== "application/json") {
    const { contentType } = body;
    return rules.decode(body.bytes, { contentType, kind: KIND, fieldValidation: "Ignore" }).object;
  }
  try {
    parseJson(body.bytes);
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    throw badRequest(
      "the object provided is unrecognized (must be of type DeleteOptions): couldn't get version/kind; " +
        `json parse error: ${error.message}`,
    );
  }
  const value: unknown = JSON.parse(Buffer.from(body.bytes).toString("utf8"));
  if (value === null) return {};
  if (typeof value !== "object" || Array.isArray(value)) {
    throw badRequest(
      `json: cannot unmarshal ${wireTypeOf(value as Json)} into Go value of type v1.DeleteOptions`,
    );
  }
  const options = value as JsonObject;
  const { kind, gracePeriodSeconds: grace, preconditions } = options;
  if (typeof kind === "string" && kind !== "" && kind !== "DeleteOptions") {
    throw badRequest(`expected DeleteOptions, got ${kind}`);
  }
  if (grace !== undefined && grace !== null && !Number.isSafeInteger(grace)) {
    throw wrongType("gracePeriodSeconds", grace, "int64");
  }
  if (preconditions !== undefined && (typeof preconditions !== "object" || Array.isArray(preconditions))) {
    throw wrongType("preconditions", preconditions, "v1.Preconditions");
  }
  return options;
}

function readQuery(query: URLSearchParams): JsonObject {
  const grace = parseInteger(query, "gracePeriodSeconds");
  const policy = query.get("propagationPolicy");
  const orphan = parseBoolean(query.get("orphanDependents"));
  return {
    ...(grace !== undefined && { gracePeriodSeconds: grace }),
    ...(policy !== null && policy !== "" && { propagationPolicy: policy }),
    ...(orphan !== undefined && { orphanDependents: orphan }),
  };
}

function wrongType(field: string, value: Json, type: string): Error {
  const given = typeof value === "number" ? `number ${value}` : wireTypeOf(value);
  return badRequest(
    `json: cannot unmarshal ${given} into Go struct field DeleteOptions.${field} of type ${type}`,
  );
}

function strings(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];
}
