/** The rules of Kubernetes itself, as the kubernetes room knows them. */
import { GoError } from "../internal/go/errors.ts";
import { decodeReplacing } from "../internal/go/utf8.ts";
import { invalidField } from "../internal/kubernetes/field-error.ts";
import { parseYaml } from "../internal/kubernetes/yaml-node.ts";
import {
  applyDefaults,
  applyJsonPatch,
  applyMergePatch,
  applyServerSide,
  applyStrategicMergePatch,
  badRequest,
  convertToSchema,
  decodeObject,
  formatApiVersion,
  formatGoValue,
  ignoreTimestampsAlone,
  invalid,
  type Json,
  type JsonObject,
  type KubernetesObject,
  matchesFields,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
  prepareForCreate,
  prepareForUpdate,
  type PatchType,
  type ReadPatch,
  readPatch,
  StatusError,
  toJson,
  trackManagedFields,
  validateCreate,
  validateUpdate,
  warningsFor,
} from "../kubernetes/index.ts";
import type { ApiRules, Decoded, ManagerOptions, PatchOptions } from "./rules.ts";

export const kubernetesRules: ApiRules = {
  decode: (body, { contentType, kind, fieldValidation }) =>
    decodeObject(body, { contentType, resource: kind, fieldValidation }),
  decodeConfiguration: (body, { contentType, kind, fieldValidation }) => {
    const written = readWritten(body);
    const expected = formatApiVersion(kind);
    const given = written?.["apiVersion"] ?? "";
    if (written !== undefined && given !== expected) {
      const versions = `Specified patch version: ${formatText(given)}, expected: ${expected}`;
      throw badRequest(`Incorrect version specified in apply patch. ${versions}`);
    }
    const { object, warnings } = decodeObject(body, { contentType, resource: kind, fieldValidation });
    const { apiVersion, kind: name } = object;
    const metadata = written?.["metadata"] ?? {};
    return { object: { ...written, metadata, apiVersion, kind: name } as KubernetesObject, warnings };
  },
  applyDefaults,
  prepareForCreate,
  prepareForUpdate,
  validateCreate,
  validateUpdate,
  warningsFor,
  readPatch,
  applyPatch,
  applyConfiguration: (live, applied, options) =>
    applyServerSide(live, applied, { ...toManaging(options), force: options.force }),
  trackManagedFields: (live, object, options) => trackManagedFields(live, object, toManaging(options)),
  ignoreTimestampsAlone,
  parseLabelSelector: (text) => {
    const selector = parseLabelSelector(text);
    return (labels) => matchesLabels(selector, labels);
  },
  parseFieldSelector: (text, kind) => {
    const selector = parseFieldSelector(text, { kind: kind.kind, apiVersion: formatApiVersion(kind) });
    return (object) => matchesFields(selector, object);
  },
};

/** Undefined for what is no object, or no YAML: who decodes it says so. Nothing at all is an object without members. */
function readWritten(body: Uint8Array): JsonObject | undefined {
  try {
    const written = toJson(parseYaml(decodeReplacing(body)).node);
    if (written === null) return {};
    const isObject = typeof written === "object" && !Array.isArray(written);
    return isObject ? (written as JsonObject) : undefined;
  } catch (error) {
    if (error instanceof GoError) return undefined;
    throw error;
  }
}

function formatText(value: Json): string {
  return typeof value === "string" ? value : "";
}

function toManaging({ manager, now, subresource, kind }: ManagerOptions): {
  readonly schema: string;
  readonly manager: string;
  readonly subresource: string;
  readonly now: Date;
} {
  return { schema: kind.schema, manager, subresource, now: new Date(now) };
}

const PATCHES: Readonly<Record<PatchType, (object: KubernetesObject, patch: Json, schema: string) => Json>> =
  {
    json: (object, patch) => applyJsonPatch(object, patch),
    merge: (object, patch) => applyMergePatch(object, patch),
    strategic: (object, patch, schema) => applyStrategicMergePatch(object, patch, schema),
  };

function applyPatch(object: KubernetesObject, read: ReadPatch, options: PatchOptions): Decoded {
  const { type, kind, fieldValidation } = options;
  const { patch } = read;
  const patched = PATCHES[type](object, patch, kind.schema);
  // What a refusal quotes: the outcome, or where the API server has no text of that, the patch.
  const quoted = (): string => (type === "strategic" ? formatGoValue(patch) : JSON.stringify(patched));
  try {
    const words = type === "strategic" ? "tree" : "json";
    const { object: converted, strictErrors: unknown } = convertToSchema(patched, kind.schema, words);
    const strictErrors = [...read.strictErrors, ...unknown];
    if (strictErrors.length > 0 && fieldValidation === "Strict") {
      throw refuse(quoted(), `strict decoding error: ${strictErrors.join(", ")}`);
    }
    const typed = { ...converted, kind: kind.kind, apiVersion: formatApiVersion(kind) };
    return { object: typed, warnings: fieldValidation === "Warn" ? strictErrors : [] };
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    throw refuse(quoted(), error.message);
  }
}

/** Of an outcome that isn't of its kind; the API server doesn't say which kind that is. */
function refuse(quoted: string, why: string): StatusError {
  const { status } = invalid({ group: "", kind: "", name: "" }, [invalidField("patch", quoted, why)]);
  const { kind: _kind, ...details } = (status.details ?? {}) as JsonObject;
  return new StatusError({ ...status, details });
}
