/** Runs a chain of plugins over one request. */
import { type KubernetesObject, StatusError } from "../kubernetes/index.ts";
import type {
  AdmissionDecision,
  AdmissionOptions,
  AdmissionPlugin,
  AdmissionReason,
  AdmissionRequest,
} from "./admission.ts";
import { grantWith, refuse } from "./decide.ts";

export interface RunAdmissionOptions extends AdmissionOptions {
  /**
   * Only the steps that change, or only those that judge, as the API server runs them and calls webhooks; both by
   * default, one after the other.
   */
  readonly phase?: "admit" | "validate" | undefined;
  /** What the API server does to an object between the two: it sets defaults again. */
  readonly between?: ((object: KubernetesObject) => KubernetesObject) | undefined;
}

/**
 * Asks each plugin in order; the first refusal ends it. Warnings and reasons of all that were asked are kept, also
 * beside a refusal. Of a StatusError that a plugin throws, the Status is the refusal; anything else goes on up.
 */
export async function runAdmission(
  chain: readonly AdmissionPlugin[],
  request: AdmissionRequest,
  options: RunAdmissionOptions = {},
): Promise<AdmissionDecision> {
  const warnings = new Set<string>();
  const reasons: AdmissionReason[] = [];
  let current = request;
  for (const step of ["admit", "validate"] as const) {
    if (options.phase !== undefined && options.phase !== step) continue;
    for (const plugin of chain) {
      if (plugin[step] === undefined) continue;
      const asked = ask(plugin, current, { step, options });
      const decision = asked instanceof Promise ? await asked : asked;
      for (const warning of decision.warnings) warnings.add(warning);
      reasons.push(...decision.reasons);
      if (!decision.allowed) return { ...decision, warnings: [...warnings], reasons };
      const { object } = decision;
      if (step === "admit" && object !== undefined && object !== current.object)
        current = { ...current, object };
    }
    if (step === "admit" && options.phase === undefined && current.object !== undefined) {
      const object = options.between?.(current.object) ?? current.object;
      if (object !== current.object) current = { ...current, object };
    }
  }
  return grantWith(current.object, { warnings: [...warnings], reasons });
}

function ask(
  plugin: AdmissionPlugin,
  request: AdmissionRequest,
  { step, options }: { readonly step: "admit" | "validate"; readonly options: AdmissionOptions },
): AdmissionDecision | Promise<AdmissionDecision> {
  try {
    const decision = plugin[step]?.(request, options) ?? grantWith(request.object);
    return decision instanceof Promise ? decision.catch(refuseStatus) : decision;
  } catch (error) {
    return refuseStatus(error);
  }
}

function refuseStatus(error: unknown): AdmissionDecision {
  if (error instanceof StatusError) return refuse(error);
  throw error;
}
