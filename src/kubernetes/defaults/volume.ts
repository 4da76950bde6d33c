/** Defaults of volumes. */
import { defaultPullPolicy } from "../default-pull-policy.ts";
import { isAbsent, mapObject, mapObjects, textAt, withMembers } from "../objects/fields.ts";
import type { Json, JsonObject } from "../objects/object.ts";
import { defaultFieldRef, defaultResourceFieldRef } from "./container.ts";
import { fillAbsent, fillEmpty } from "./fill.ts";

/** `rw-r--r--`, in decimal as JSON has it. */
const FILE_MODE = 0o644;

/** How each kind of source is completed; one that isn't listed has nothing to complete. */
const SOURCES: Readonly<Record<string, (source: JsonObject) => JsonObject>> = {
  hostPath: (source) => fillAbsent(source, { type: "" }),
  secret: withMode,
  configMap: withMode,
  downwardAPI: (source) => withMode(defaultDownward(source)),
  projected: (source) =>
    withMode(withMembers(source, { sources: mapObjects(source, "sources", defaultProjection) })),
  image: (source) => fillEmpty(source, { pullPolicy: defaultPullPolicy(textAt(source, "reference")) }),
  iscsi: (source) => fillEmpty(source, { iscsiInterface: "default" }),
  rbd: (source) => fillEmpty(source, { pool: "rbd", user: "admin", keyring: "/etc/ceph/keyring" }),
  azureDisk: (source) =>
    fillAbsent(source, { cachingMode: "ReadWrite", fsType: "ext4", readOnly: false, kind: "Shared" }),
  scaleIO: (source) => fillEmpty(source, { storageMode: "ThinProvisioned", fsType: "xfs" }),
  ephemeral: (source) =>
    withMembers(source, {
      volumeClaimTemplate: mapObject(source, "volumeClaimTemplate", (template) => ({
        metadata: {},
        ...withMembers(template, { spec: mapObject(template, "spec", defaultClaimSpec) }),
      })),
    }),
};

export function defaultVolume(volume: JsonObject): JsonObject {
  const sources = Object.keys(volume).filter((name) => name !== "name" && !isAbsent(volume[name]));
  // The oldest form of a volume was a name alone.
  if (sources.length === 0) return { ...volume, emptyDir: {} };
  const completed = sources.map((name): [string, Json | undefined] => {
    const complete = Object.hasOwn(SOURCES, name) ? SOURCES[name] : undefined;
    return [name, complete === undefined ? volume[name] : mapObject(volume, name, complete)];
  });
  return withMembers(volume, Object.fromEntries(completed));
}

/** Of a claim for a volume, whether a StatefulSet's or an ephemeral volume's. */
export function defaultClaimSpec(spec: JsonObject): JsonObject {
  return fillAbsent(spec, { resources: {}, volumeMode: "Filesystem" });
}

function withMode(source: JsonObject): JsonObject {
  return fillAbsent(source, { defaultMode: FILE_MODE });
}

function defaultProjection(projection: JsonObject): JsonObject {
  return withMembers(projection, {
    serviceAccountToken: mapObject(projection, "serviceAccountToken", (token) =>
      fillAbsent(token, { expirationSeconds: 3600 }),
    ),
    downwardAPI: mapObject(projection, "downwardAPI", defaultDownward),
  });
}

function defaultDownward(source: JsonObject): JsonObject {
  return withMembers(source, {
    items: mapObjects(source, "items", (item) =>
      withMembers(item, {
        fieldRef: mapObject(item, "fieldRef", defaultFieldRef),
        resourceFieldRef: mapObject(item, "resourceFieldRef", defaultResourceFieldRef),
      }),
    ),
  });
}
