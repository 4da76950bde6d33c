/** Finding the ServiceAccount of a Pod, which may be younger than what a cache knows. */
import { notFound, type KubernetesObject, StatusError } from "../../kubernetes/index.ts";

/** A ServiceAccount as the API keeps it; undefined where there is none. */
export type ServiceAccountRead = (
  name: { readonly namespace: string; readonly name: string },
  options: { readonly signal?: AbortSignal | undefined },
) => KubernetesObject | undefined | Promise<KubernetesObject | undefined>;

export interface ServiceAccountLookup {
  /** What is at hand: an informer's cache, say. */
  readonly cached?: ServiceAccountRead | undefined;
  /** Asked when that has none. */
  readonly read: ServiceAccountRead;
}

export interface LookupTiming {
  /** From 0 up to 1; `Math.random` by default. */
  readonly random?: (() => number) | undefined;
  /** Ends early, with the signal's reason, when that is aborted. */
  readonly sleep: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
}

export const DEFAULT_ACCOUNT = "default";

/** A controller makes the account `default` a moment after its namespace; it is worth a wait. */
const DEFAULT_ATTEMPTS = 10;
const SHORTEST_PAUSE = 100;
const PAUSES = 100;

/** @throws StatusError `NotFound`: `serviceaccount "web" not found` */
export async function findServiceAccount(
  { namespace, name }: { readonly namespace: string; readonly name: string },
  lookup: ServiceAccountLookup,
  options: LookupTiming & { readonly signal?: AbortSignal | undefined },
): Promise<KubernetesObject> {
  const { signal, sleep, random = Math.random } = options;
  const known = await orUndefined(lookup.cached?.({ namespace, name }, { signal }));
  if (known !== undefined) return known;
  const attempts = name === DEFAULT_ACCOUNT ? DEFAULT_ATTEMPTS : 1;
  const pause = SHORTEST_PAUSE + Math.floor(random() * PAUSES);
  for (let attempt = 0; attempt < attempts; attempt++) {
    signal?.throwIfAborted();
    if (attempt > 0) await sleep(pause, signal);
    const found = await orUndefined(lookup.read({ namespace, name }, { signal }));
    if (found !== undefined) return found;
  }
  throw notFound({ group: "", kind: "serviceaccount", name });
}

async function orUndefined(reading: ReturnType<ServiceAccountRead>): Promise<KubernetesObject | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof StatusError && error.code === "NotFound") return undefined;
    throw error;
  }
}
