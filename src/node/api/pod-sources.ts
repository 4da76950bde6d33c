import type { PullSecret } from "../../credentials/index.ts";
import type { PodListener, PodSource, PullSecretLookup } from "../pod-source.ts";

/**
 * Pods of several sources, as one node has them: from a folder, and from the API. Of two with one name, the one of the
 * source that comes first is the node's.
 */
export class PodSources implements PodSource {
  readonly #sources: readonly PodSource[];
  readonly #problems: (readonly string[])[] = [];
  /** Which source a Pod is of, by key. */
  readonly #owners = new Map<string, number>();

  constructor(sources: readonly PodSource[]) {
    this.#sources = sources;
  }

  async start(listener: PodListener): Promise<void> {
    for (const [index, source] of this.#sources.entries()) await source.start(this.#listen(index, listener));
  }

  async close(): Promise<void> {
    await Promise.all(this.#sources.map((source) => source.close()));
  }

  #listen(index: number, listener: PodListener): PodListener {
    return {
      podSet: (pod) => {
        const owner = this.#owners.get(pod.key);
        if (owner !== undefined && owner < index) return;
        this.#owners.set(pod.key, index);
        listener.podSet(pod);
      },
      podGone: (pod) => {
        if (this.#owners.get(pod.key) !== index) return;
        this.#owners.delete(pod.key);
        listener.podGone(pod);
      },
      credentialsChanged: (change) => listener.credentialsChanged(change),
      problems: (list) => {
        this.#problems[index] = list;
        listener.problems(this.#problems.flat());
      },
    };
  }
}

/** Looks in one place, then in the next: for Pods whose Secrets may stand in either. */
export class SecretLookups implements PullSecretLookup {
  readonly #lookups: readonly PullSecretLookup[];

  constructor(lookups: readonly PullSecretLookup[]) {
    this.#lookups = lookups;
  }

  async getSecret(namespace: string, name: string): Promise<PullSecret> {
    let failure: unknown = new Error(`secret ${JSON.stringify(name)} not found`);
    for (const lookup of this.#lookups) {
      try {
        return await lookup.getSecret(namespace, name);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }
}
