/** How many replicas, for those kinds that have some: a small object of its own in front of the big one. */
import {
  badRequest,
  type JsonObject,
  type KubernetesObject,
  parseApiVersion,
  type PatchType,
  type ReadPatch,
} from "../../kubernetes/index.ts";
import type { BodyKind } from "../rules.ts";
import type { ApiCall, ApiContext, CallBody } from "./context.ts";
import { patchTypeOf } from "./patch.ts";
import type { Presented } from "./present.ts";
import { getStored } from "./read.ts";
import { decodeAs } from "./subresources.ts";
import { changeObject } from "./update.ts";

const SCALE: BodyKind = {
  group: "autoscaling",
  version: "v1",
  kind: "Scale",
  schema: "io.k8s.api.autoscaling.v1.Scale",
  message: "k8s.io.api.autoscaling.v1.Scale",
};

export async function getScale(context: ApiContext, call: ApiCall): Promise<Presented> {
  return present(toScale((await getStored(context, call)).object));
}

export async function updateScale(context: ApiContext, call: ApiCall, body: CallBody): Promise<Presented> {
  const scale = decodeAs(context, call, { body, kind: SCALE });
  if (scale.metadata.name !== call.name) {
    const sent = scale.metadata.name ?? "";
    throw badRequest(`the name of the object (${sent}) does not match the name on the URL (${call.name})`);
  }
  return await change(context, call, { propose: () => scale, conditional: true });
}

export async function patchScale(context: ApiContext, call: ApiCall, body: CallBody): Promise<Presented> {
  const type: PatchType = patchTypeOf(body.contentType);
  const { fieldValidation } = call;
  let patch: ReadPatch | undefined;
  const propose = (current: KubernetesObject): KubernetesObject => {
    patch ??= context.rules.readPatch(body.bytes, type, fieldValidation);
    const { object, warnings } = context.rules.applyPatch(current, patch, {
      type,
      kind: SCALE,
      fieldValidation,
    });
    for (const warning of warnings) call.warnings.add(warning);
    return object;
  };
  return await change(context, call, { propose, conditional: false });
}

async function change(
  context: ApiContext,
  call: ApiCall,
  {
    propose,
    conditional,
  }: {
    readonly propose: (current: KubernetesObject) => KubernetesObject;
    readonly conditional: boolean;
  },
): Promise<Presented> {
  const changed = await changeObject(context, { ...call, subresource: "" }, (current) => {
    const scale = propose(toScale(current));
    const { replicas = 0 } = (scale["spec"] ?? {}) as { readonly replicas?: number };
    const { resourceVersion, uid } = scale.metadata;
    const metadata = {
      ...current.metadata,
      ...(resourceVersion !== undefined && { resourceVersion }),
      ...(uid !== undefined && { uid }),
    };
    const spec = { ...(current["spec"] as JsonObject), replicas };
    return { object: { ...current, metadata, spec }, conditional };
  });
  return present(toScale(changed.object));
}

function toScale(object: KubernetesObject): KubernetesObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const spec = (object["spec"] ?? {}) as { readonly replicas?: number; readonly selector?: JsonObject };
  const status = (object["status"] ?? {}) as { readonly replicas?: number };
  const metadata = JSON.parse(
    JSON.stringify({ name, namespace, uid, resourceVersion, creationTimestamp }),
  ) as JsonObject;
  return {
    kind: SCALE.kind,
    apiVersion: "autoscaling/v1",
    metadata,
    spec: spec.replicas === undefined ? {} : { replicas: spec.replicas },
    status: { replicas: status.replicas ?? 0, ...selectorOf(object, spec.selector) },
  } as KubernetesObject;
}

/** As text, which is how those who scale ask for the Pods. */
function selectorOf(object: KubernetesObject, selector: JsonObject | undefined): JsonObject {
  if (selector === undefined) return {};
  const plain = parseApiVersion(object.apiVersion).group === "";
  const labels = (plain ? selector : (selector["matchLabels"] ?? {})) as Readonly<Record<string, string>>;
  const expressions = plain ? [] : ((selector["matchExpressions"] ?? []) as unknown as readonly Expression[]);
  const parts = [
    ...Object.entries(labels).map(([name, value]) => `${name}=${value}`),
    ...expressions.map((one) => formatExpression(one)),
  ];
  return parts.length === 0 ? {} : { selector: parts.toSorted().join(",") };
}

interface Expression {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}

function formatExpression({ key, operator, values = [] }: Expression): string {
  switch (operator) {
    case "Exists":
      return key;
    case "DoesNotExist":
      return `!${key}`;
    default:
      return `${key} ${operator === "In" ? "in" : "notin"} (${values.toSorted().join(",")})`;
  }
}

function present(object: KubernetesObject): Presented {
  return { object, text: JSON.stringify(object) };
}
