/** What holds for the specification of a Pod, or of a template that Pods are made from. */
import {
  duplicateField,
  type FieldError,
  forbiddenField,
  invalidField,
  requiredField,
  unsupportedWord,
} from "../../internal/kubernetes/field-error.ts";
import {
  flagAt,
  isAbsent,
  listAt,
  numberAt,
  objectAt,
  objectsAt,
  textAt,
  textsAt,
} from "../objects/fields.ts";
import type { JsonObject } from "../objects/object.ts";
import { RESTART_POLICIES } from "../pod.ts";
import { validateAffinity } from "./affinity.ts";
import {
  type ContainerContext,
  validateChoice,
  validateContainers,
  validateEphemeralContainers,
  validateInitContainers,
} from "./container.ts";
import { invalids, validateLabels } from "./metadata.ts";
import { labelFaults, subdomainFaults } from "./names.ts";
import { validatePodSecurityContext } from "./security-context.ts";
import { validateTolerations } from "./tolerations.ts";
import { validateSpread } from "./topology-spread.ts";
import { validateVolumes } from "./volume.ts";

const DNS_POLICIES = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
const PREEMPTIONS = ["PreemptLowerPriority", "Never"];
const SYSTEMS = ["linux", "windows"];
const MAX_INT32 = 2 ** 31 - 1;

/** @param isPod templates may leave out what a Pod must have */
export function validatePodSpec(spec: JsonObject, path: string, isPod: boolean): readonly FieldError[] {
  const { errors, good } = validateVolumes(objectsAt(spec, "volumes"), {
    isPod,
    path: `${path}.volumes`,
  });
  const claims = new Set(objectsAt(spec, "resourceClaims").map((claim) => textAt(claim, "name")));
  const context = { volumes: good, resourceClaims: claims };
  return [
    ...errors,
    ...validateClaims(spec, `${path}.resourceClaims`),
    ...validateAllContainers(spec, context, path),
    ...validateHostNetwork(spec, path),
    ...validateChoice(spec, "restartPolicy", RESTART_POLICIES, path),
    ...validateChoice(spec, "dnsPolicy", DNS_POLICIES, path),
    ...validateLabels(spec, "nodeSelector", path),
    ...validatePodSecurityContext(objectAt(spec, "securityContext"), `${path}.securityContext`),
    ...validateAffinity(objectAt(spec, "affinity"), `${path}.affinity`),
    ...validateDns(spec, path),
    ...validateGates(spec, path),
    ...validateSpread(spec, `${path}.topologySpreadConstraints`),
    ...validateNames(spec, path),
    ...validateDeadline(spec, path),
    ...validateHostNames(spec, path),
    ...validateTolerations(objectsAt(spec, "tolerations"), `${path}.tolerations`),
    ...validateHostAliases(spec, `${path}.hostAliases`),
    ...validateClasses(spec, path),
  ];
}

function validateAllContainers(
  spec: JsonObject,
  context: ContainerContext,
  path: string,
): readonly FieldError[] {
  const main = objectsAt(spec, "containers");
  const init = objectsAt(spec, "initContainers");
  const names = new Set(main.map((one) => textAt(one, "name")));
  const errors = [
    ...validateContainers(main, context, `${path}.containers`),
    ...validateInitContainers(init, names, { ...context, path: `${path}.initContainers` }),
  ];
  const ephemeral = objectsAt(spec, "ephemeralContainers");
  const list = { ...context, path: `${path}.ephemeralContainers` };
  return [...errors, ...validateEphemeralContainers(ephemeral, names, list)];
}

function validateClaims(spec: JsonObject, path: string): readonly FieldError[] {
  const names = new Set<string>();
  return objectsAt(spec, "resourceClaims").flatMap((claim, index) => {
    const name = textAt(claim, "name");
    const at = `${path}[${index}].name`;
    if (name === "") return [requiredField(at)];
    if (names.has(name)) return [duplicateField(at, name)];
    names.add(name);
    return invalids(at, name, labelFaults(name));
  });
}

function validateHostNetwork(spec: JsonObject, path: string): readonly FieldError[] {
  if (!flagAt(spec, "hostNetwork")) return [];
  return ["containers", "initContainers"].flatMap((list) =>
    objectsAt(spec, list).flatMap((container, index) =>
      objectsAt(container, "ports").flatMap((port, place) => {
        const host = numberAt(port, "hostPort") ?? 0;
        const own = numberAt(port, "containerPort") ?? 0;
        if (host === 0 || host === own) return [];
        const at = `${path}.${list}[${index}].ports[${place}].containerPort`;
        return [invalidField(at, own, "must match `hostPort` when `hostNetwork` is true")];
      }),
    ),
  );
}

function validateDns(spec: JsonObject, path: string): readonly FieldError[] {
  const config = objectAt(spec, "dnsConfig");
  const at = `${path}.dnsConfig`;
  const none = textAt(spec, "dnsPolicy") === "None";
  if (config === undefined) {
    return none ? [requiredField(at, "must provide `dnsConfig` when `dnsPolicy` is None")] : [];
  }
  const servers = textsAt(config, "nameservers");
  const errors: FieldError[] = [];
  if (none && servers.length === 0) {
    const why = 'must provide at least one DNS nameserver when `dnsPolicy` is "None"';
    errors.push(requiredField(`${at}.nameservers`, why));
  }
  if (servers.length > 3) {
    errors.push(invalidField(`${at}.nameservers`, [...servers], "must not have more than 3 nameservers"));
  }
  const searches = textsAt(config, "searches").flatMap((search, index) =>
    invalids(
      `${at}.searches[${index}]`,
      search,
      search === "." ? [] : subdomainFaults(search.replace(/\.$/, "")),
    ),
  );
  return [...errors, ...searches];
}

function validateGates(spec: JsonObject, path: string): readonly FieldError[] {
  const names = new Set<string>();
  return objectsAt(spec, "schedulingGates").flatMap((gate, index) => {
    const name = textAt(gate, "name");
    if (names.has(name)) return [duplicateField(`${path}.schedulingGates[${index}]`, name)];
    names.add(name);
    return [];
  });
}

function validateNames(spec: JsonObject, path: string): readonly FieldError[] {
  return ["serviceAccountName", "nodeName"].flatMap((member) => {
    const name = textAt(spec, member);
    return name === "" ? [] : invalids(`${path}.${member}`, name, subdomainFaults(name));
  });
}

function validateDeadline(spec: JsonObject, path: string): readonly FieldError[] {
  const seconds = numberAt(spec, "activeDeadlineSeconds");
  if (seconds === undefined || (seconds >= 1 && seconds <= MAX_INT32)) return [];
  const why = `must be between 1 and ${MAX_INT32}, inclusive`;
  return [invalidField(`${path}.activeDeadlineSeconds`, seconds, why)];
}

function validateHostNames(spec: JsonObject, path: string): readonly FieldError[] {
  return ["hostname", "subdomain"].flatMap((member) => {
    const name = textAt(spec, member);
    return name === "" ? [] : invalids(`${path}.${member}`, name, labelFaults(name));
  });
}

function validateHostAliases(spec: JsonObject, path: string): readonly FieldError[] {
  return objectsAt(spec, "hostAliases").flatMap((alias, index) =>
    textsAt(alias, "hostnames").flatMap((name) =>
      invalids(`${path}[${index}].hostnames`, name, subdomainFaults(name)),
    ),
  );
}

function validateClasses(spec: JsonObject, path: string): readonly FieldError[] {
  const errors = ["priorityClassName", "runtimeClassName"].flatMap((member) => {
    const name = textAt(spec, member);
    const absent = member === "priorityClassName" ? name === "" : isAbsent(spec[member]);
    return absent ? [] : invalids(`${path}.${member}`, name, subdomainFaults(name));
  });
  const preemption = spec["preemptionPolicy"];
  if (typeof preemption === "string" && !PREEMPTIONS.includes(preemption)) {
    errors.push(unsupportedWord(`${path}.preemptionPolicy`, preemption, PREEMPTIONS));
  }
  const system = objectAt(spec, "os");
  if (system === undefined) return errors;
  const name = textAt(system, "name");
  if (name === "") return [...errors, requiredField(`${path}.os.name`, "cannot be empty")];
  return SYSTEMS.includes(name) ? errors : [...errors, unsupportedWord(`${path}.os.name`, name, SYSTEMS)];
}

/** A Pod that still waits for something is on no node. */
export function validateUngated(spec: JsonObject, path: string): readonly FieldError[] {
  if (textAt(spec, "nodeName") === "" || listAt(spec, "schedulingGates").length === 0) return [];
  return [forbiddenField(`${path}.nodeName`, "cannot be set until all schedulingGates have been cleared")];
}
