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
  return await startAdmission(chain, request, options);
}

/** The same, at once where no plugin has to be waited for. */
export function startAdmission(
  chain: readonly AdmissionPlugin[],
  request: AdmissionRequest,
  options: RunAdmissionOptions,
): AdmissionDecision | Promise<AdmissionDecision> {
  return new Run(chain, request, options).go(0);
}

class Run {
  readonly #chain: readonly AdmissionPlugin[];
  readonly #options: RunAdmissionOptions;
  readonly #warnings = new Set<string>();
  readonly #reasons: AdmissionReason[] = [];
  #current: AdmissionRequest;

  constructor(chain: readonly AdmissionPlugin[], request: AdmissionRequest, options: RunAdmissionOptions) {
    this.#chain = chain;
    this.#options = options;
    this.#current = request;
  }

  /** @param from counts the plugins of the first step, then those of the second */
  go(from: number): AdmissionDecision | Promise<AdmissionDecision> {
    const { length } = this.#chain;
    const { phase } = this.#options;
    for (let at = from; at < 2 * length; at++) {
      if (at === length) this.#passBetween();
      const step = at < length ? "admit" : "validate";
      const plugin = this.#chain[at % length];
      if (plugin?.[step] === undefined || (phase !== undefined && phase !== step)) continue;
      const decision = ask(plugin, this.#current, { step, options: this.#options });
      if (decision instanceof Promise) {
        return decision.then((late) => this.#take(late, step) ?? this.go(at + 1));
      }
      const refused = this.#take(decision, step);
      if (refused !== undefined) return refused;
    }
    if (length === 0) this.#passBetween();
    return grantWith(this.#current.object, { warnings: [...this.#warnings], reasons: this.#reasons });
  }

  #take(decision: AdmissionDecision, step: "admit" | "validate"): AdmissionDecision | undefined {
    for (const warning of decision.warnings) this.#warnings.add(warning);
    this.#reasons.push(...decision.reasons);
    if (!decision.allowed) return { ...decision, warnings: [...this.#warnings], reasons: this.#reasons };
    if (step === "admit" && decision.object !== undefined) this.#goOnWith(decision.object);
    return undefined;
  }

  #passBetween(): void {
    const { phase, between } = this.#options;
    const { object } = this.#current;
    if (phase === undefined && object !== undefined && between !== undefined) this.#goOnWith(between(object));
  }

  #goOnWith(object: KubernetesObject): void {
    if (object !== this.#current.object) this.#current = { ...this.#current, object };
  }
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
