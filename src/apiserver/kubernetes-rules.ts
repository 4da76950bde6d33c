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
  checkAppliedTypes,
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
import type { ApiRules, Decoded, DecodeOptions, ManagerOptions, PatchOptions } from "./rules.ts";

export const kubernetesRules: ApiRules = {
  decode: (body, { contentType, kind, fieldValidation }) =>
    decodeObject(body, { contentType, resource: kind, fieldValidation }),
  decodeConfiguration,
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

function decodeConfiguration(body: Uint8Array, options: DecodeOptions): Decoded {
  const { contentType, kind, fieldValidation } = options;
  const { written, strictError } = readWritten(body);
  const expected = formatApiVersion(kind);
  const given = written["apiVersion"] ?? "";
  if (given !== expected) {
    const versions = `Specified patch version: ${formatText(given)}, expected: ${expected}`;
    throw badRequest(`Incorrect version specified in apply patch. ${versions}`);
  }
  const configuration = { ...written, metadata: written["metadata"] ?? {} } as KubernetesObject;
  if (configuration.kind === kind.kind) checkAppliedTypes(configuration, kind.schema);
  if (strictError !== undefined && fieldValidation === "Strict") {
    throw badRequest(`error strict decoding patch: ${strictError}`);
  }
  const { object } = decodeObject(body, { contentType, resource: kind, fieldValidation: "Ignore" });
  return {
    object: { ...configuration, apiVersion: object.apiVersion, kind: object.kind },
    warnings: strictError !== undefined && fieldValidation === "Warn" ? [strictError] : [],
  };
}

/** Nothing at all is an object without members. */
function readWritten(body: Uint8Array): {
  readonly written: JsonObject;
  readonly strictError: string | undefined;
} {
  try {
    const { node, strictError } = parseYaml(decodeReplacing(body));
    const written = toJson(node) ?? {};
    if (typeof written !== "object" || Array.isArray(written)) {
      const type = Array.isArray(written) ? "array" : node.kind;
      throw badRequest(
        "error decoding patch: error unmarshaling JSON: while decoding JSON: " +
          `json: cannot unmarshal ${type} into Go value of type map[string]interface {}`,
      );
    }
    const strict = strictError === undefined ? undefined : `error converting YAML to JSON: ${strictError}`;
    return { written: written as JsonObject, strictError: strict };
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    throw badRequest(`error decoding patch: error converting YAML to JSON: ${error.message}`);
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
