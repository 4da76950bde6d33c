/** What holds for the volumes of a Pod or a template. */
import {
  duplicateField,
  type FieldError,
  forbiddenField,
  invalidField,
  requiredField,
  unsupportedWord,
} from "../../internal/kubernetes/field-error.ts";
import { isAbsent, numberAt, objectAt, objectsAt, textAt } from "../objects/fields.ts";
import type { JsonObject } from "../objects/object.ts";
import { parseQuantity } from "../objects/quantity.ts";
import { validatePullPolicy } from "./container.ts";
import { FILE_FIELDS, validateFieldRef, validateResourceFieldRef } from "./environment.ts";
import { invalids } from "./metadata.ts";
import { validateDescendingPath, validateNoBacksteps } from "./mounts.ts";
import { labelFaults, subdomainFaults } from "./names.ts";

const HOST_PATH_TYPES = [
  "",
  "BlockDevice",
  "CharDevice",
  "Directory",
  "DirectoryOrCreate",
  "File",
  "FileOrCreate",
  "Socket",
];

const MAX_MODE = 0o777;
const MODE = "must be a number between 0 and 0777 (octal), both inclusive";

/** Ten minutes: a shorter token would end before it's renewed. */
const MIN_EXPIRATION = 600;
const MAX_EXPIRATION = 2 ** 32;

type Rule = (source: JsonObject, path: string, options: VolumeOptions) => readonly FieldError[];

export interface VolumeOptions {
  /** A template may leave out what a Pod must have. */
  readonly isPod: boolean;
}

/** In the order in which they are looked at; what isn't listed after them has no rule of its own. */
const SOURCES: Readonly<Record<string, Rule>> = {
  emptyDir: validateEmptyDir,
  hostPath: validateHostPath,
  gitRepo: (source, path) => validateGitRepo(source, path),
  gcePersistentDisk: required("pdName"),
  awsElasticBlockStore: required("volumeID"),
  secret: validateSecret,
  nfs: validateNfs,
  iscsi: required("targetPortal", "iqn"),
  glusterfs: required("endpoints", "path"),
  flocker: () => [],
  persistentVolumeClaim: required("claimName"),
  rbd: required("image"),
  cinder: required("volumeID"),
  cephfs: () => [],
  quobyte: required("registry", "volume"),
  downwardAPI: (source, path) => [...validateMode(source, path), ...validateDownward(source, path)],
  fc: () => [],
  flexVolume: required("driver"),
  configMap: validateConfigMap,
  azureFile: required("secretName", "shareName"),
  vsphereVolume: required("volumePath"),
  photonPersistentDisk: required("pdID"),
  portworxVolume: required("volumeID"),
  azureDisk: required("diskName", "diskURI"),
  storageos: () => [],
  projected: validateProjected,
  scaleIO: required("gateway", "system", "volumeName"),
  csi: required("driver"),
  ephemeral: (source, path) =>
    isAbsent(source["volumeClaimTemplate"]) ? [requiredField(`${path}.volumeClaimTemplate`)] : [],
  image: validateImage,
};

/** The faults, and the volumes without any by their names: only those can be mounted. */
export function validateVolumes(
  volumes: readonly JsonObject[],
  options: VolumeOptions & { readonly path: string },
): { readonly errors: readonly FieldError[]; readonly good: ReadonlyMap<string, JsonObject> } {
  const good = new Map<string, JsonObject>();
  const errors = volumes.flatMap((volume, index) => {
    const path = `${options.path}[${index}]`;
    const name = textAt(volume, "name");
    const found = [
      ...validateSource(volume, path, options),
      ...(name === "" ? [requiredField(`${path}.name`)] : invalids(`${path}.name`, name, labelFaults(name))),
      ...(good.has(name) ? [duplicateField(`${path}.name`, name)] : []),
    ];
    if (found.length === 0) good.set(name, volume);
    return found;
  });
  return { errors, good };
}

function validateSource(volume: JsonObject, path: string, options: VolumeOptions): readonly FieldError[] {
  const given = Object.keys(SOURCES).filter((name) => !isAbsent(volume[name]));
  if (given.length === 0) return [requiredField(path, "must specify a volume type")];
  return given.flatMap((name, index) =>
    index > 0
      ? [forbiddenField(`${path}.${name}`, "may not specify more than 1 volume type")]
      : (SOURCES[name]?.(objectAt(volume, name) ?? {}, `${path}.${name}`, options) ?? []),
  );
}

function required(...members: readonly string[]): Rule {
  return (source, path) =>
    members
      .filter((member) => textAt(source, member) === "")
      .map((member) => requiredField(`${path}.${member}`));
}

function validateEmptyDir(source: JsonObject, path: string): readonly FieldError[] {
  const limit = parseQuantity(textAt(source, "sizeLimit"));
  if (limit === undefined || limit >= 0n) return [];
  return [forbiddenField(`${path}.sizeLimit`, "SizeLimit field must be a valid resource quantity")];
}

function validateHostPath(source: JsonObject, path: string): readonly FieldError[] {
  const place = textAt(source, "path");
  const type = textAt(source, "type");
  if (place === "") return [requiredField(`${path}.path`)];
  return [
    ...validateNoBacksteps(place, `${path}.path`),
    ...(HOST_PATH_TYPES.includes(type) ? [] : [unsupportedWord(`${path}.type`, type, HOST_PATH_TYPES)]),
  ];
}

function validateGitRepo(source: JsonObject, path: string): readonly FieldError[] {
  return [
    ...(textAt(source, "repository") === "" ? [requiredField(`${path}.repository`)] : []),
    ...validateDescendingPath(textAt(source, "directory"), `${path}.directory`),
  ];
}

function validateSecret(source: JsonObject, path: string): readonly FieldError[] {
  return [
    ...(textAt(source, "secretName") === "" ? [requiredField(`${path}.secretName`)] : []),
    ...validateMode(source, path),
    ...validateItems(source, path),
  ];
}

function validateConfigMap(source: JsonObject, path: string): readonly FieldError[] {
  return [
    ...(textAt(source, "name") === "" ? [requiredField(`${path}.name`)] : []),
    ...validateMode(source, path),
    ...validateItems(source, path),
  ];
}

function validateNfs(source: JsonObject, path: string): readonly FieldError[] {
  const place = textAt(source, "path");
  return [
    ...(textAt(source, "server") === "" ? [requiredField(`${path}.server`)] : []),
    ...(place === "" ? [requiredField(`${path}.path`)] : []),
    ...(place.startsWith("/") ? [] : [invalidField(`${path}.path`, place, "must be an absolute path")]),
  ];
}

function validateImage(source: JsonObject, path: string, { isPod }: VolumeOptions): readonly FieldError[] {
  return [
    ...(isPod && textAt(source, "reference") === "" ? [requiredField(`${path}.reference`)] : []),
    ...validatePullPolicy(source["pullPolicy"], `${path}.pullPolicy`),
  ];
}

function validateMode(source: JsonObject, path: string, member = "defaultMode"): readonly FieldError[] {
  const mode = numberAt(source, member);
  return mode === undefined || (mode >= 0 && mode <= MAX_MODE)
    ? []
    : [invalidField(`${path}.${member}`, mode, MODE)];
}

function validateItems(source: JsonObject, path: string): readonly FieldError[] {
  return objectsAt(source, "items").flatMap((item, index) => {
    const at = `${path}.items[${index}]`;
    return [
      ...(textAt(item, "key") === "" ? [requiredField(`${at}.key`)] : []),
      ...(textAt(item, "path") === "" ? [requiredField(`${at}.path`)] : []),
      ...validateFilePath(textAt(item, "path"), `${at}.path`),
      ...validateMode(item, at, "mode"),
    ];
  });
}

/** Names that start with two dots are the kubelet's own in such a volume. */
function validateFilePath(text: string, path: string): readonly FieldError[] {
  const errors = [...validateDescendingPath(text, path)];
  if (text.startsWith("..") && !text.startsWith("../") && text !== "..") {
    errors.push(invalidField(path, text, "must not start with '..'"));
  }
  return errors;
}

function validateDownward(source: JsonObject, path: string): readonly FieldError[] {
  return objectsAt(source, "items").flatMap((item, index) => {
    const at = `${path}.items[${index}]`;
    const field = objectAt(item, "fieldRef");
    const amount = objectAt(item, "resourceFieldRef");
    const place = textAt(item, "path");
    const errors = place === "" ? [requiredField(`${at}.path`)] : [];
    errors.push(...validateFilePath(place, `${at}.path`));
    if (field !== undefined) {
      errors.push(...validateFieldRef(field, FILE_FIELDS, `${at}.fieldRef`));
      if (amount !== undefined) {
        errors.push(
          invalidField(at, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"),
        );
      }
    } else if (amount === undefined) {
      errors.push(requiredField(at, "one of fieldRef and resourceFieldRef is required"));
    } else errors.push(...validateResourceFieldRef(amount, `${at}.resourceFieldRef`));
    return [...errors, ...validateMode(item, at, "mode")];
  });
}

const PROJECTIONS: Readonly<Record<string, (source: JsonObject, path: string) => readonly FieldError[]>> = {
  secret: validateProjectedNames,
  configMap: validateProjectedNames,
  downwardAPI: validateDownward,
  serviceAccountToken: validateToken,
  clusterTrustBundle: (source, path) =>
    textAt(source, "path") === "" ? [requiredField(`${path}.path`)] : [],
  podCertificate: (source, path) =>
    ["signerName", "keyType"]
      .filter((member) => textAt(source, member) === "")
      .map((member) => requiredField(`${path}.${member}`)),
};

function validateProjected(source: JsonObject, path: string): readonly FieldError[] {
  const sources = objectsAt(source, "sources").flatMap((one, index) => {
    const at = `${path}.sources[${index}]`;
    const given = Object.keys(PROJECTIONS).filter((name) => !isAbsent(one[name]));
    if (given.length === 0) return [requiredField(at, "must specify a volume type")];
    return given.flatMap((name, place) =>
      place > 0
        ? [forbiddenField(`${at}.${name}`, "may not specify more than 1 volume type per source")]
        : (PROJECTIONS[name]?.(objectAt(one, name) ?? {}, `${at}.${name}`) ?? []),
    );
  });
  return [...validateMode(source, path), ...sources];
}

function validateProjectedNames(source: JsonObject, path: string): readonly FieldError[] {
  const name = textAt(source, "name");
  return [
    ...(name === ""
      ? [requiredField(`${path}.name`)]
      : invalids(`${path}.name`, name, subdomainFaults(name))),
    ...validateItems(source, path),
  ];
}

function validateToken(source: JsonObject, path: string): readonly FieldError[] {
  const seconds = numberAt(source, "expirationSeconds") ?? 0;
  const at = `${path}.expirationSeconds`;
  const errors: FieldError[] = [];
  if (seconds < MIN_EXPIRATION) {
    errors.push(invalidField(at, seconds, "may not specify a duration less than 10 minutes"));
  }
  if (seconds > MAX_EXPIRATION) {
    errors.push(invalidField(at, seconds, "may not specify a duration larger than 2^32 seconds"));
  }
  return textAt(source, "path") === "" ? [...errors, requiredField(`${path}.path`)] : errors;
}
