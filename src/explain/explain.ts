/** Explains every Pod of a situation, on every node of it. */
import { parsePlatform } from "../oci/index.ts";
import { Conversation } from "./replay/conversation.ts";
import { DryRuntime } from "./replay/dry-runtime.ts";
import { explainPod, type Replaying } from "./replay/explain-pod.ts";
import { Redactor } from "../internal/redactor.ts";
import type { Explanation, PodTrace } from "./trace.ts";
import { textAt } from "./json.ts";
import type { NodeSituation, Situation, Workload } from "./world/situation.ts";

export interface ExplainOptions {
  readonly signal?: AbortSignal | undefined;
  /** Texts that must not be shown, wherever they turn up, besides those that are met on the way. */
  readonly secrets?: Iterable<string> | undefined;
}

/**
 * Replays what nodes do with the Pods of a situation, and says why it comes out as it does. Nothing is changed: see
 * {@link Conversation} for what may be asked of registries.
 */
export async function explain(situation: Situation, options: ExplainOptions = {}): Promise<Explanation> {
  const redactor = new Redactor();
  for (const secret of options.secrets ?? []) redactor.add(secret);
  const { send, now } = situation;
  const conversation = send && new Conversation({ send, redactor, now: () => performance.now() });
  const hostNotes: string[] = [];
  const hosts = situation.hosts((note) => {
    if (!hostNotes.includes(note)) hostNotes.push(note);
  });
  const runtimes = new Map<NodeSituation, DryRuntime>();
  const runtimeOf = (node: NodeSituation): DryRuntime => {
    const known = runtimes.get(node);
    if (known !== undefined) return known;
    const { platform, images } = node;
    const { sources, userAgent } = situation;
    const runtime = new DryRuntime({ platform, images, hosts, sources, conversation, userAgent, now });
    runtimes.set(node, runtime);
    return runtime;
  };
  const unseen = new Set<string>(situation.unseen);
  const { signal } = options;
  const replaying: Replaying = {
    situation,
    conversation,
    redactor,
    unseen,
    runtimeOf,
    hosts,
    hostNotes,
    signal,
  };
  const pods: PodTrace[] = [];
  for (const workload of situation.workloads) {
    for (const node of nodesOf(workload, situation)) {
      signal?.throwIfAborted();
      const trace = await explainPod(workload, node, replaying);
      if (trace !== undefined) pods.push(trace);
    }
  }
  return redactor.value<Explanation>({
    version: 1,
    at: new Date(now()).toISOString(),
    network: conversation !== undefined,
    pods,
    unseen: [...unseen],
    problems: [...situation.problems, ...hostNotes],
    exchanges: conversation?.count ?? 0,
  });
}

/** Those that a Pod is explained for. */
function nodesOf({ object }: Workload, { nodes, everyNode }: Situation): readonly NodeSituation[] {
  const [first = { platform: parsePlatform("linux/amd64") }] = nodes;
  if (everyNode === true && nodes.length > 0) return nodes;
  const assigned = object.kind === "Pod" ? textAt(object, "spec", "nodeName") : "";
  return [nodes.find(({ name }) => assigned !== "" && name === assigned) ?? first];
}
