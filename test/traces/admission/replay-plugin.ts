/** Does what an API server with `--enable-admission-plugins=AlwaysPullImages` did, with our chain. */
import { isDeepStrictEqual } from "node:util";

import {
  type AdmissionPlugin,
  type AdmissionRequest,
  alwaysPullImages,
  defaultTolerationSeconds,
  priority,
  runAdmission,
  serviceAccountAdmission,
} from "../../../src/admission/index.ts";
import {
  API_RESOURCES,
  applyDefaults,
  type JsonObject,
  type KubernetesObject,
} from "../../../src/kubernetes/index.ts";
import { applyStrategicMergePatch } from "../../../src/kubernetes/patch/strategic-merge.ts";
import type { AdmissionRecording } from "./recording.ts";

/** Where in the letters of generated names an `x` stands: the recordings have it for any letter. */
const X = 18.5 / 27;

const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default" } };
const BEFORE: readonly AdmissionPlugin[] = [
  serviceAccountAdmission({
    accounts: { read: () => account },
    timing: { random: () => X, sleep: async () => {} },
  }),
];
const AFTER: readonly AdmissionPlugin[] = [priority, defaultTolerationSeconds];
const CHAIN = [...BEFORE, alwaysPullImages, ...AFTER];

/** What isn't as it was recorded, in one line each. */
export async function replayPlugin({ request, response }: AdmissionRecording): Promise<readonly string[]> {
  if (request?.body === undefined || request.body === null || response === undefined)
    return ["it has no request"];
  const target = readPath(request.path);
  const asked =
    request.method === "POST"
      ? requestFor(target, { operation: "CREATE", object: request.body as KubernetesObject })
      : await update(target, request.body);
  const decision = await runAdmission(CHAIN, asked, { between: applyDefaults });
  if (!decision.allowed) return [`refused: ${decision.status.message ?? ""}`];
  const { object } = decision;
  if (response.code === 422)
    return compareRefused(asked, { object, message: textOf(response.body["message"]) });
  if (response.code >= 300) return [`let pass, but answered ${response.code}`];
  return isDeepStrictEqual(object?.["spec"], response.body["spec"])
    ? []
    : [`spec is ${JSON.stringify(object?.["spec"])}`];
}

/** The lab's pod `old` was stored before the plugin was on, `new` after. */
async function update(target: Target, patch: JsonObject): Promise<AdmissionRequest> {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: target.name },
    spec: {
      schedulerName: "nobody",
      terminationGracePeriodSeconds: 0,
      containers: [{ name: "c", image: "app:v1" }],
    },
  };
  const created = requestFor({ ...target, subresource: "" }, { operation: "CREATE", object: pod });
  const chain = target.name === "old" ? [...BEFORE, ...AFTER] : CHAIN;
  const stored = await runAdmission(chain, created, { between: applyDefaults });
  if (!stored.allowed || stored.object === undefined) throw new Error("the pod of before was refused");
  const object = applyStrategicMergePatch(stored.object, patch, "io.k8s.api.core.v1.Pod") as KubernetesObject;
  return requestFor(target, { operation: "UPDATE", object, oldObject: stored.object });
}

/** Validation's words show the change that came of the plugin, and that only: here it is made. */
function compareRefused(
  { object: before }: AdmissionRequest,
  { object, message }: { readonly object: KubernetesObject | undefined; readonly message: string },
): readonly string[] {
  const changed = [...message.matchAll(/^([-+]) {2,}"ImagePullPolicy": "(\w+)",$/gm)].map(
    (match) => match[2],
  );
  const policies = [before, object].map((one) => {
    const { containers } = (one?.["spec"] ?? { containers: [] }) as {
      readonly containers: readonly JsonObject[];
    };
    return containers[0]?.["imagePullPolicy"];
  });
  return isDeepStrictEqual(policies, changed) ? [] : [`policies went ${JSON.stringify(policies)}`];
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

interface Target {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly subresource: string;
  readonly dryRun: boolean;
}

function readPath(text: string): Target {
  const { pathname, searchParams } = new URL(text, "https://lab");
  const pattern =
    /^\/(?:api|apis\/([^/]+))\/(v\d+)\/namespaces\/([^/]+)\/([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?$/;
  const [, group = "", version = "", namespace = "", resource = "", name = "", subresource = ""] =
    pattern.exec(pathname) ?? [];
  return {
    group,
    version,
    namespace,
    resource,
    name,
    subresource,
    dryRun: searchParams.get("dryRun") === "All",
  };
}

function requestFor(
  { group, version, resource, namespace, name, subresource, dryRun }: Target,
  {
    object,
    ...rest
  }: Pick<AdmissionRequest, "operation" | "oldObject"> & { readonly object: KubernetesObject },
): AdmissionRequest {
  const known = API_RESOURCES.find((one) => one.group === group && one.resource === resource);
  if (known === undefined) throw new Error(`no resource ${resource}`);
  const named = { ...object, metadata: { ...object.metadata, namespace } };
  return {
    ...rest,
    resource: { group, version, resource },
    kind: { group, version, kind: known.kind },
    subresource,
    name: name === "" ? (object.metadata.name ?? "") : name,
    namespace,
    object: applyDefaults(named),
    dryRun,
    user: { name: "admin", groups: ["system:masters"] },
  };
}
