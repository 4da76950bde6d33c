/** Requests for tests, and a world in which time moves when it is told to. */
import type { JsonObject, KubernetesObject } from "../kubernetes/index.ts";
import type { AdmissionRequest } from "./admission.ts";
import type { DigestAnswer, DigestQuestion, DigestResolver } from "./pinning/digest-resolver.ts";

const KINDS: Readonly<Record<string, readonly [group: string, kind: string]>> = {
  pods: ["", "Pod"],
  podtemplates: ["", "PodTemplate"],
  replicationcontrollers: ["", "ReplicationController"],
  deployments: ["apps", "Deployment"],
  replicasets: ["apps", "ReplicaSet"],
  statefulsets: ["apps", "StatefulSet"],
  daemonsets: ["apps", "DaemonSet"],
  jobs: ["batch", "Job"],
  cronjobs: ["batch", "CronJob"],
};

export type PodKind = keyof typeof KINDS;

export interface RequestOptions extends Partial<AdmissionRequest> {
  /** The plural; `pods` by default. */
  readonly of?: PodKind;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A request to create an object of which only the Pod spec matters. */
export function requestFor(spec: JsonObject, options: RequestOptions = {}): AdmissionRequest {
  const { of = "pods", annotations, ...changes } = options;
  const [group = "", kind = ""] = KINDS[of] ?? [];
  return {
    operation: "CREATE",
    resource: { group, version: "v1", resource: of },
    kind: { group, version: "v1", kind },
    subresource: "",
    name: "web",
    namespace: "shop",
    object: objectFor(spec, { of, ...(annotations !== undefined && { annotations }) }),
    dryRun: false,
    user: { name: "me", groups: [] },
    ...changes,
  };
}

export function objectFor(
  spec: JsonObject,
  {
    of = "pods",
    annotations,
  }: { readonly of?: PodKind; readonly annotations?: Readonly<Record<string, string>> } = {},
): KubernetesObject {
  const [group = "", kind = ""] = KINDS[of] ?? [];
  const apiVersion = group === "" ? "v1" : `${group}/v1`;
  const metadata = { name: "web", ...(annotations !== undefined && { annotations }) };
  const template = { metadata: { labels: { app: "web" } }, spec };
  if (of === "pods") return { apiVersion, kind, metadata, spec };
  if (of === "podtemplates") return { apiVersion, kind, metadata, template };
  if (of === "cronjobs") return { apiVersion, kind, metadata, spec: { jobTemplate: { spec: { template } } } };
  return { apiVersion, kind, metadata, spec: { template } };
}

/** A clock with timers, both moved by hand. */
export class TestTime {
  #now = 0;
  readonly #timers = new Set<{ readonly at: number; readonly callback: () => void }>();

  readonly now = (): number => this.#now;

  readonly startTimer = (milliseconds: number, callback: () => void): (() => void) => {
    const timer = { at: this.#now + milliseconds, callback };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  };

  /** Timers that aren't called off. */
  get running(): number {
    return this.#timers.size;
  }

  advance(milliseconds: number): void {
    this.#now += milliseconds;
    for (const timer of this.#timers) {
      if (timer.at > this.#now || !this.#timers.delete(timer)) continue;
      timer.callback();
    }
  }
}

/** A registry whose answers a test gives, and which keeps what it was asked. */
export class TestResolver implements DigestResolver {
  readonly asked: DigestQuestion[] = [];
  /** Undefined for a registry that never answers. */
  answer: (question: DigestQuestion) => DigestAnswer | undefined;

  constructor(answer: (question: DigestQuestion) => DigestAnswer | undefined) {
    this.answer = answer;
  }

  async resolve(
    question: DigestQuestion,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<DigestAnswer> {
    this.asked.push(question);
    const answer = this.answer(question);
    if (answer !== undefined) return answer;
    return await new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    });
  }
}

/** A digest made of one character. */
export function digestOf(character: string): string {
  return `sha256:${character.repeat(64)}`;
}
