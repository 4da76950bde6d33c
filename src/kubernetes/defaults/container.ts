/** Defaults of containers: of Pods and templates, whether init, ephemeral or the main ones. */
import { defaultPullPolicy } from "../default-pull-policy.ts";
import { mapObject, mapObjects, objectAt, textAt, withMembers } from "../objects/fields.ts";
import type { Json, JsonObject } from "../objects/object.ts";
import { fillAbsent, fillEmpty, fillZero } from "./fill.ts";

const PROBES = ["livenessProbe", "readinessProbe", "startupProbe"];
const HOOKS = ["postStart", "preStop"];

export function defaultContainer(container: JsonObject): JsonObject {
  const filled = fillEmpty(container, {
    terminationMessagePath: "/dev/termination-log",
    terminationMessagePolicy: "File",
    imagePullPolicy: defaultPullPolicy(textAt(container, "image")),
  });
  return withMembers(filled, {
    resources: objectAt(container, "resources") ?? {},
    ports: mapObjects(container, "ports", defaultPort),
    env: mapObjects(container, "env", defaultVariable),
    lifecycle: mapObject(container, "lifecycle", defaultLifecycle),
    ...Object.fromEntries(PROBES.map((name) => [name, mapObject(container, name, defaultProbe)])),
  });
}

/** In a Pod, what is limited is requested; in a template that is left to the Pods. */
export function requestWhatIsLimited(holder: JsonObject): JsonObject {
  const resources = objectAt(holder, "resources");
  const limits = objectAt(resources, "limits");
  if (resources === undefined || limits === undefined) return holder;
  const requests = { ...limits, ...objectAt(resources, "requests") };
  if (Object.keys(requests).length === 0) return holder;
  return withMembers(holder, { resources: { ...resources, requests } });
}

/** In the host's network, a port is the host's port. */
export function bindToHost(container: JsonObject): JsonObject {
  return withMembers(container, {
    ports: mapObjects(container, "ports", (port) =>
      fillZero(port, { hostPort: typeof port["containerPort"] === "number" ? port["containerPort"] : 0 }),
    ),
  });
}

function defaultPort(port: JsonObject): JsonObject {
  return fillEmpty(port, { protocol: "TCP" });
}

function defaultVariable(variable: JsonObject): JsonObject {
  const from = mapObject(variable, "valueFrom", (source) =>
    withMembers(source, {
      fieldRef: mapObject(source, "fieldRef", defaultFieldRef),
      resourceFieldRef: mapObject(source, "resourceFieldRef", defaultResourceFieldRef),
      fileKeyRef: mapObject(source, "fileKeyRef", (ref) => fillAbsent(ref, { optional: false })),
    }),
  );
  return withMembers(variable, { valueFrom: from });
}

export function defaultFieldRef(ref: JsonObject): JsonObject {
  return fillEmpty(ref, { apiVersion: "v1" });
}

export function defaultResourceFieldRef(ref: JsonObject): JsonObject {
  return withMembers(ref, { divisor: ref["divisor"] ?? "0" });
}

function defaultProbe(probe: JsonObject): JsonObject {
  const filled = fillZero(probe, {
    timeoutSeconds: 1,
    periodSeconds: 10,
    successThreshold: 1,
    failureThreshold: 3,
  });
  return withMembers(filled, {
    ...defaultHandler(filled),
    grpc: mapObject(filled, "grpc", (grpc) => fillAbsent(grpc, { service: "" })),
  });
}

function defaultLifecycle(lifecycle: JsonObject): JsonObject {
  return withMembers(
    lifecycle,
    Object.fromEntries(
      HOOKS.map((name) => [
        name,
        mapObject(lifecycle, name, (hook) => withMembers(hook, defaultHandler(hook))),
      ]),
    ),
  );
}

function defaultHandler(handler: JsonObject): { readonly httpGet: Json | undefined } {
  return {
    httpGet: mapObject(handler, "httpGet", (get) => fillEmpty(get, { path: "/", scheme: "HTTP" })),
  };
}
