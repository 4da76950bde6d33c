/** Runs the admission chain over a change, in the two phases of the API server. */
import { runAdmission, type AdmissionOperation, type AdmissionRequest } from "../../admission/index.ts";
import { type KubernetesObject, StatusError } from "../../kubernetes/index.ts";
import type { ApiCall, ApiContext } from "./context.ts";

export interface Admitted {
  readonly operation: AdmissionOperation;
  readonly object?: KubernetesObject | undefined;
  readonly oldObject?: KubernetesObject | undefined;
}

/** What the plugins make of the object. */
export async function admitMutating(
  context: ApiContext,
  call: ApiCall,
  it: Admitted,
): Promise<KubernetesObject | undefined> {
  return await admit(context, call, { ...it, phase: "admit" });
}

/** Every plugin may still refuse; none changes anything. */
export async function admitValidating(context: ApiContext, call: ApiCall, it: Admitted): Promise<void> {
  await admit(context, call, { ...it, phase: "validate" });
}

async function admit(
  context: ApiContext,
  call: ApiCall,
  it: Admitted & { readonly phase: "admit" | "validate" },
): Promise<KubernetesObject | undefined> {
  const { operation, object, oldObject, phase } = it;
  if (context.plugins.length === 0) return object;
  const { group, version, resource, kind } = call.resource;
  const request: AdmissionRequest = {
    operation,
    resource: { group, version, resource },
    kind: { group, version, kind },
    subresource: call.subresource,
    name: call.name === "" ? (object?.metadata.name ?? "") : call.name,
    namespace: call.namespace,
    ...(object && { object }),
    ...(oldObject && { oldObject }),
    dryRun: call.dryRun,
    user: call.user,
  };
  const decision = await runAdmission(context.plugins, request, { signal: call.signal, phase });
  for (const warning of decision.warnings) call.warnings.add(warning);
  if (!decision.allowed) throw new StatusError(decision.status);
  return decision.object ?? object;
}
