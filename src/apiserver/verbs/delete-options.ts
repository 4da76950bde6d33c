import { GoError } from "../../internal/go/errors.ts";
import { goQuote } from "../../internal/go/quote.ts";
import { invalidField, type FieldError, unsupportedField } from "../../internal/kubernetes/field-error.ts";
import { parseDocument, typeMetaOf } from "../../internal/kubernetes/object-decoder.ts";
import { badRequest, convertToSchema, type JsonObject, toJson } from "../../kubernetes/index.ts";
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
    const node = parseDocument(body.bytes);
    const { apiVersion, kind } = typeMetaOf(node);
    if (kind !== "" && kind !== KIND.kind) throw unknownKind(kind, apiVersion);
    return convertToSchema(toJson(node) ?? {}, KIND.schema).object;
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    throw badRequest(error.message);
  }
}

function unknownKind(kind: string, apiVersion: string): GoError {
  const version = goQuote(apiVersion === "" ? "meta.k8s.io/v1" : apiVersion);
  const scheme = goQuote("pkg/apis/meta/internalversion/scheme/register.go:27");
  return new GoError(`no kind ${goQuote(kind)} is registered for version ${version} in scheme ${scheme}`);
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

function strings(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];
}
