/** What holds for probes and for what is run when a container starts and stops. */
import {
  type FieldError,
  forbiddenField,
  invalidField,
  requiredField,
  unsupportedWord,
} from "../../internal/kubernetes/field-error.ts";
import { isAbsent, listAt, numberAt, objectAt, objectsAt, textAt } from "../objects/fields.ts";
import type { Json, JsonObject } from "../objects/object.ts";
import { invalids, validateNonNegative } from "./metadata.ts";
import { portFaults, portNameFaults } from "./names.ts";

const SCHEMES = ["HTTP", "HTTPS"];
const HANDLERS = ["exec", "httpGet", "tcpSocket", "grpc", "sleep"];
const COUNTS = [
  "initialDelaySeconds",
  "timeoutSeconds",
  "periodSeconds",
  "successThreshold",
  "failureThreshold",
];

export function validateProbe(
  container: JsonObject,
  name: "livenessProbe" | "readinessProbe" | "startupProbe",
  path: string,
): readonly FieldError[] {
  const probe = objectAt(container, name);
  if (probe === undefined) return [];
  const at = `${path}.${name}`;
  const grace = numberAt(probe, "terminationGracePeriodSeconds");
  const graceful = `${at}.terminationGracePeriodSeconds`;
  const errors = [
    ...validateHandler(probe, at),
    ...COUNTS.flatMap((count) => validateNonNegative(numberAt(probe, count) ?? 0, `${at}.${count}`)),
    ...(grace !== undefined && grace <= 0 ? [invalidField(graceful, grace, "must be greater than 0")] : []),
  ];
  if (name === "readinessProbe") {
    return grace === undefined
      ? errors
      : [...errors, invalidField(graceful, grace, "must not be set for readinessProbes")];
  }
  const successes = numberAt(probe, "successThreshold") ?? 0;
  if (successes === 1) return errors;
  return [...errors, invalidField(`${at}.successThreshold`, successes, "must be 1")];
}

export function validateHook(hook: JsonObject | undefined, path: string): readonly FieldError[] {
  return hook === undefined ? [] : validateHandler(hook, path);
}

export function validatePort(port: Json | undefined, path: string): readonly FieldError[] {
  if (typeof port === "string") return invalids(path, port, portNameFaults(port));
  const number = typeof port === "number" ? port : 0;
  return portFaults(number).map((fault) => invalidField(path, number, fault));
}

function validateHandler(handler: JsonObject, path: string): readonly FieldError[] {
  const given = HANDLERS.filter((name) => !isAbsent(handler[name]));
  if (given.length === 0) return [requiredField(path, "must specify a handler type")];
  return given.flatMap((name, index) =>
    index > 0
      ? [forbiddenField(`${path}.${name}`, "may not specify more than 1 handler type")]
      : validateAction(objectAt(handler, name), name, `${path}.${name}`),
  );
}

function validateAction(action: JsonObject | undefined, name: string, path: string): readonly FieldError[] {
  if (name === "exec") {
    return listAt(action, "command").length === 0 ? [requiredField(`${path}.command`)] : [];
  }
  if (name === "sleep") return validateNonNegative(numberAt(action, "seconds") ?? 0, `${path}.seconds`);
  const port = validatePort(action?.["port"], `${path}.port`);
  if (name !== "httpGet") return port;
  const scheme = textAt(action, "scheme");
  return [
    ...(textAt(action, "path") === "" ? [requiredField(`${path}.path`)] : []),
    ...port,
    ...(SCHEMES.includes(scheme) ? [] : [unsupportedWord(`${path}.scheme`, scheme, SCHEMES)]),
    ...objectsAt(action, "httpHeaders").flatMap((header) => validateHeader(header, `${path}.httpHeaders`)),
  ];
}

function validateHeader(header: JsonObject, path: string): readonly FieldError[] {
  const name = textAt(header, "name");
  if (/^[-A-Za-z0-9]+$/.test(name)) return [];
  const why =
    "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";
  return [invalidField(path, name, why)];
}
