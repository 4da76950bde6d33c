/** Runs the admission chain over a change, in the two phases of the API server. */
import {
  type AdmissionOperation,
  type AdmissionRequest,
  runAdmission,
  type RunAdmissionOptions,
} from "../../admission/index.ts";
import { parseDuration } from "../../internal/go/duration.ts";
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
  const limits = new Limits(context, call, phase);
  const decision = await runAdmission(context.plugins, request, limits).finally(() => limits.end());
  for (const warning of decision.warnings) call.warnings.add(warning);
  if (!decision.allowed) throw new StatusError(decision.status);
  return decision.object ?? object;
}

/** As long as the API server waits for a webhook that doesn't say, in milliseconds. */
const PATIENCE = 10_000;
/** Of the time a client waits, for all that isn't waiting for others. */
const OWN_SHARE = 0.1;

/** How long plugins may wait for others: less than the client waits for us. The clock runs only for those who wait. */
class Limits implements RunAdmissionOptions {
  readonly phase: "admit" | "validate";
  readonly signal: AbortSignal;
  readonly #context: ApiContext;
  readonly #query: URLSearchParams;
  #deadline: AbortController | undefined;
  #ended: AbortController | undefined;

  constructor(context: ApiContext, { signal, query }: ApiCall, phase: "admit" | "validate") {
    this.#context = context;
    this.#query = query;
    this.signal = signal;
    this.phase = phase;
  }

  get deadline(): AbortSignal {
    if (this.#deadline === undefined) {
      const deadline = (this.#deadline = new AbortController());
      const milliseconds = Math.min(PATIENCE, patienceOf(this.#query) * (1 - OWN_SHARE));
      this.#ended = new AbortController();
      this.#context.clock.wait(milliseconds, this.#ended.signal).then(
        () => deadline.abort(),
        () => {},
      );
    }
    return this.#deadline.signal;
  }

  end(): void {
    this.#ended?.abort();
  }
}

/** Milliseconds of `?timeout=3s`, as clients tell how long they wait; without end where they don't. */
function patienceOf(query: URLSearchParams): number {
  try {
    const milliseconds = Number(parseDuration(query.get("timeout") ?? "") / 1_000_000n);
    return milliseconds > 0 ? milliseconds : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
