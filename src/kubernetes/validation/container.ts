/** What holds for containers, whether of a Pod or a template, main, init or ephemeral. */
import {
  duplicateField,
  type FieldError,
  forbiddenField,
  invalidField,
  notFoundField,
  requiredField,
  unsupportedWord,
} from "../../internal/kubernetes/field-error.ts";
import { asObject, isAbsent, objectAt, objectsAt, textAt } from "../objects/fields.ts";
import type { JsonObject } from "../objects/object.ts";
import { PULL_POLICIES } from "../pod.ts";
import { validateEnvironment, validateEnvironmentSources } from "./environment.ts";
import { invalids } from "./metadata.ts";
import { validateDevices, validateMounts } from "./mounts.ts";
import { labelFaults, portFaults, portNameFaults } from "./names.ts";
import { validateHook, validateProbe } from "./probe.ts";
import { validateResources } from "./resource-requirements.ts";
import { validateSecurityContext } from "./security-context.ts";

const MESSAGE_POLICIES = ["File", "FallbackToLogsOnError"];
const OWN_RESTART_POLICIES = ["Always", "Never", "OnFailure"];
const RESIZABLE = ["cpu", "memory"];
const RESIZE_RESTARTS = ["NotRequired", "RestartContainer"];
const PROTOCOLS = ["SCTP", "TCP", "UDP"];
const HOOKS = ["postStart", "preStop"];

// Go's idea of white space: unlike JavaScript's, it has U+0085 and lacks U+FEFF.
const SPACE = "[\\t\\n\\v\\f\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const PADDED = new RegExp(`^${SPACE}|${SPACE}$`);

/** What the rest of the Pod says that containers depend on. */
export interface ContainerContext {
  /** Volumes that are in order, by name; `true` for those that are block devices by nature. */
  readonly volumes: ReadonlyMap<string, JsonObject>;
  readonly resourceClaims: ReadonlySet<string>;
}

export function validateContainers(
  containers: readonly JsonObject[],
  context: ContainerContext,
  path: string,
): readonly FieldError[] {
  if (containers.length === 0) return [requiredField(path)];
  const names = new Set<string>();
  const errors = containers.flatMap((container, index) => {
    const at = `${path}[${index}]`;
    return [
      ...validateContainer(container, context, at),
      ...claimName(container, names, at),
      ...validateLife(container, at),
      ...validateOwnRestartPolicy(container, at),
    ];
  });
  return [...errors, ...validateHostPorts(containers, path)];
}

/** @param names of the main containers; those of init containers may not be the same */
export function validateInitContainers(
  containers: readonly JsonObject[],
  names: Set<string>,
  context: ContainerContext & { readonly path: string },
): readonly FieldError[] {
  const { path } = context;
  return containers.flatMap((container, index) => {
    const at = `${path}[${index}]`;
    const sidecar = textAt(container, "restartPolicy") === "Always";
    return [
      ...validateContainer(container, context, at),
      ...validateOwnRestartPolicy(container, at),
      ...claimName(container, names, at),
      // Init containers run one by one, so only a container's own ports meet.
      ...validateHostPorts([container], path),
      ...(sidecar ? validateLife(container, at) : refuseLife(container, at)),
    ];
  });
}

/** @param names of all other containers */
export function validateEphemeralContainers(
  containers: readonly JsonObject[],
  names: ReadonlySet<string>,
  context: ContainerContext & { readonly path: string },
): readonly FieldError[] {
  const taken = new Set(names);
  return containers.flatMap((container, index) => {
    const at = `${context.path}[${index}]`;
    const target = textAt(container, "targetContainerName");
    return [
      ...validateContainer(container, context, at),
      ...validateImagePadding(container, at),
      ...claimName(container, taken, at),
      ...(target === "" || names.has(target) ? [] : [notFoundField(`${at}.targetContainerName`, target)]),
      ...refuseOfEphemeral(container, at),
    ];
  });
}

/** Everything that holds for any container. */
export function validateContainer(
  container: JsonObject,
  context: ContainerContext,
  path: string,
): readonly FieldError[] {
  const name = textAt(container, "name");
  return [
    ...(name === "" ? [requiredField(`${path}.name`)] : invalids(`${path}.name`, name, labelFaults(name))),
    ...(textAt(container, "image") === "" ? [requiredField(`${path}.image`)] : []),
    ...validateChoice(container, "terminationMessagePolicy", MESSAGE_POLICIES, path),
    ...validatePorts(container, `${path}.ports`),
    ...validateEnvironment(container, `${path}.env`),
    ...validateEnvironmentSources(container, `${path}.envFrom`),
    ...validateMounts(container, context.volumes, `${path}.volumeMounts`),
    ...validateDevices(container, context.volumes, `${path}.volumeDevices`),
    ...validatePullPolicy(container["imagePullPolicy"], `${path}.imagePullPolicy`),
    ...validateResources(objectAt(container, "resources"), context.resourceClaims, `${path}.resources`),
    ...validateResizing(container, `${path}.resizePolicy`),
    ...validateSecurityContext(objectAt(container, "securityContext"), `${path}.securityContext`),
  ];
}

/** These errors name the list rather than its item, as the API server does. */
function validateResizing(container: JsonObject, path: string): readonly FieldError[] {
  const seen = new Set<string>();
  return objectsAt(container, "resizePolicy").flatMap((policy) => {
    const [resource, restart] = [textAt(policy, "resourceName"), textAt(policy, "restartPolicy")];
    const errors: FieldError[] = seen.has(resource) ? [duplicateField(path, resource)] : [];
    seen.add(resource);
    if (resource === "") errors.push(requiredField(path));
    else if (!RESIZABLE.includes(resource)) errors.push(unsupportedWord(path, resource, RESIZABLE));
    if (restart === "") errors.push(requiredField(path));
    else if (!RESIZE_RESTARTS.includes(restart)) errors.push(unsupportedWord(path, restart, RESIZE_RESTARTS));
    return errors;
  });
}

export function validatePullPolicy(policy: unknown, path: string): readonly FieldError[] {
  const text = typeof policy === "string" ? policy : "";
  if (text === "") return [requiredField(path)];
  return (PULL_POLICIES as readonly string[]).includes(text)
    ? []
    : [unsupportedWord(path, text, PULL_POLICIES)];
}

/** Only of Pods: templates may have had padded images before anyone minded. */
export function validateImagePadding(container: JsonObject, path: string): readonly FieldError[] {
  const image = textAt(container, "image");
  if (!PADDED.test(image)) return [];
  return [invalidField(`${path}.image`, image, "must not have leading or trailing whitespace")];
}

/** A member that must be one of a few words. */
export function validateChoice(
  object: JsonObject,
  member: string,
  choices: readonly string[],
  path: string,
): readonly FieldError[] {
  const value = textAt(object, member);
  if (value === "") return [requiredField(`${path}.${member}`)];
  return choices.includes(value) ? [] : [unsupportedWord(`${path}.${member}`, value, choices)];
}

function claimName(container: JsonObject, names: Set<string>, path: string): readonly FieldError[] {
  const name = textAt(container, "name");
  if (names.has(name)) return [duplicateField(`${path}.name`, name)];
  if (name !== "") names.add(name);
  return [];
}

function validateOwnRestartPolicy(container: JsonObject, path: string): readonly FieldError[] {
  if (isAbsent(container["restartPolicy"])) return [];
  const policy = textAt(container, "restartPolicy");
  const at = `${path}.restartPolicy`;
  return OWN_RESTART_POLICIES.includes(policy) ? [] : [unsupportedWord(at, policy, OWN_RESTART_POLICIES)];
}

function validateLife(container: JsonObject, path: string): readonly FieldError[] {
  const lifecycle = objectAt(container, "lifecycle");
  return [
    ...HOOKS.flatMap((name) => validateHook(objectAt(lifecycle, name), `${path}.lifecycle.${name}`)),
    ...validateProbe(container, "livenessProbe", path),
    ...validateProbe(container, "readinessProbe", path),
    ...validateProbe(container, "startupProbe", path),
  ];
}

function refuseLife(container: JsonObject, path: string): readonly FieldError[] {
  return ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"]
    .filter((name) => !isAbsent(container[name]))
    .map((name) =>
      forbiddenField(`${path}.${name}`, "may not be set for init containers without restartPolicy=Always"),
    );
}

const NOT_OF_EPHEMERAL = [
  "ports",
  "resources",
  "resizePolicy",
  "restartPolicy",
  "restartPolicyRules",
  "livenessProbe",
  "readinessProbe",
  "startupProbe",
  "lifecycle",
];

function refuseOfEphemeral(container: JsonObject, path: string): readonly FieldError[] {
  const why = "cannot be set for an Ephemeral Container";
  const members = NOT_OF_EPHEMERAL.filter((name) => isGiven(container[name]));
  const mounts = objectsAt(container, "volumeMounts").flatMap((mount, index) =>
    ["subPath", "subPathExpr"]
      .filter((name) => textAt(mount, name) !== "")
      .map((name) => forbiddenField(`${path}.volumeMounts[${index}].${name}`, why)),
  );
  return [...members.map((name) => forbiddenField(`${path}.${name}`, why)), ...mounts];
}

function isGiven(value: JsonObject[string]): boolean {
  if (isAbsent(value)) return false;
  const object = Array.isArray(value) ? value : asObject(value);
  return object === undefined || Object.keys(object).length > 0;
}

function validatePorts(container: JsonObject, path: string): readonly FieldError[] {
  const names = new Set<string>();
  return objectsAt(container, "ports").flatMap((port, index) => {
    const at = `${path}[${index}]`;
    const own = Number(port["containerPort"] ?? 0);
    const host = Number(port["hostPort"] ?? 0);
    return [
      ...validatePortName(textAt(port, "name"), names, at),
      ...(own === 0
        ? [requiredField(`${at}.containerPort`)]
        : portFaults(own).map((fault) => invalidField(`${at}.containerPort`, own, fault))),
      ...(host === 0 ? [] : portFaults(host).map((fault) => invalidField(`${at}.hostPort`, host, fault))),
      ...validateChoice(port, "protocol", PROTOCOLS, at),
    ];
  });
}

function validatePortName(name: string, names: Set<string>, path: string): readonly FieldError[] {
  if (name === "") return [];
  const faults = portNameFaults(name);
  if (faults.length > 0) return invalids(`${path}.name`, name, faults);
  if (names.has(name)) return [duplicateField(`${path}.name`, name)];
  names.add(name);
  return [];
}

function validateHostPorts(containers: readonly JsonObject[], path: string): readonly FieldError[] {
  const taken = new Set<string>();
  return containers.flatMap((container, index) =>
    objectsAt(container, "ports").flatMap((port, place) => {
      const host = Number(port["hostPort"] ?? 0);
      if (host === 0) return [];
      const key = `${textAt(port, "protocol")}/${textAt(port, "hostIP")}/${host}`;
      if (taken.has(key)) return [duplicateField(`${path}[${index}].ports[${place}].hostPort`, key)];
      taken.add(key);
      return [];
    }),
  );
}
