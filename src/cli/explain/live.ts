/** What is asked about in a cluster: the Pods, or what makes them, and the nodes they are on. */
import { join, resolve } from "node:path";

import { type NodeSituation, type Surroundings, type Workload } from "../../explain/index.ts";
import { type NodeImages, ListedImages } from "../../explain/index.ts";
import { FilePullRecords, listStoreImages } from "../../images/index.ts";
import {
  type ApiResource,
  type ConnectedClient,
  formatLabelSelector,
  type JsonObject,
  type KubernetesClient,
  type KubernetesObject,
  readLabelSelector,
} from "../../kubernetes/index.ts";
import { findMaker } from "../find-maker.ts";
import type { CommandContext } from "../context.ts";
import { CliError, UsageError } from "../errors.ts";
import { dataDir, givenPlatform, localPlatform } from "../settings.ts";
import { isAlive, readStatus } from "../up/status-file.ts";
import { connectAsPerson } from "../webhook/cluster.ts";
import { ClusterSurroundings, unseen } from "./cluster-surroundings.ts";
import { chooseNodes, type NodeFacts, nodeOf, type NodeSettings } from "./node-side.ts";
import type { ExplainValues } from "./options.ts";

/** A Deployment may have hundreds of Pods that fail alike. */
const MOST_PODS = 3;
const PODS = { group: "", version: "v1", resource: "pods", namespaced: true } as const;
const JOBS = { group: "batch", version: "v1", resource: "jobs", kind: "Job", namespaced: true } as const;
const NODES = { group: "", version: "v1", resource: "nodes", namespaced: false } as const;

export interface LiveSituation extends AsyncDisposable {
  readonly workloads: readonly Workload[];
  readonly nodes: readonly NodeSituation[];
  readonly surroundings: Surroundings;
  readonly unseen: readonly string[];
  readonly client: KubernetesClient;
}

export interface LiveOptions {
  readonly values: ExplainValues;
  readonly settings: NodeSettings;
  readonly facts: NodeFacts;
}

/** @param targets `pod/web`, `deployment/web`, `pods` */
export async function openLive(
  targets: readonly string[],
  options: LiveOptions,
  context: CommandContext,
): Promise<LiveSituation> {
  const { values, settings } = options;
  await using stack = new AsyncDisposableStack();
  const up = await findUp(values, context);
  const connected: ConnectedClient = stack.use(
    await connectAsPerson(up === undefined ? values : { ...values, kubeconfig: up.kubeconfig }, context),
  );
  const { client } = connected;
  const facts =
    up === undefined ? options.facts : stack.use(await readUpFacts(up.folder, settings, options.facts));
  const { signal } = context;
  const workloads: Workload[] = [];
  for (const target of targets) workloads.push(...(await findTarget(target, { client, values, signal })));
  const hidden: string[] = [];
  const objects = await findNodes(workloads, { client, values, signal, hidden });
  const nodes = objects.length > 0 ? describeNodes(objects, facts, values) : chooseNodes([], facts, values);
  const moved = stack.move();
  return {
    workloads,
    nodes,
    surroundings: new ClusterSurroundings(client),
    unseen: hidden,
    client,
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}

function describeNodes(
  objects: readonly KubernetesObject[],
  facts: NodeFacts,
  values: ExplainValues,
): readonly NodeSituation[] {
  return objects.map((object) => nodeOf(object, facts, givenPlatform(values)));
}

/** A dray up that runs on this machine, unless somebody says that another cluster is meant. */
export async function findUp(
  values: Pick<ExplainValues, "kubeconfig" | "context" | "data-dir">,
  context: CommandContext,
): Promise<{ readonly kubeconfig: string; readonly folder: string } | undefined> {
  const given = values.kubeconfig ?? context.env["KUBECONFIG"] ?? "";
  if (values.context !== undefined) return undefined;
  const folder = dataDir(values, context);
  try {
    const status = await readStatus(folder);
    if (status.api === null || !status.running || !isAlive(status.pid)) return undefined;
    const { kubeconfig } = status.api;
    const isOther = given !== "" && resolve(context.cwd, given) !== resolve(kubeconfig);
    return isOther ? undefined : { kubeconfig, folder };
  } catch (error) {
    if (error instanceof CliError) return undefined;
    throw error;
  }
}

/** The node of dray up keeps its images and records in its data folder. */
async function readUpFacts(
  folder: string,
  { policy }: NodeSettings,
  facts: NodeFacts,
): Promise<NodeFacts & AsyncDisposable> {
  const { openStore } = await import("../../store/index.ts");
  const store = await openStore(folder);
  const listed = await listStoreImages(store, { platform: localPlatform() });
  const list = new ListedImages(
    listed.map(({ id, repoTags, repoDigests, size }) => ({
      id,
      tags: repoTags,
      digests: repoDigests,
      size: Number(size),
    })),
    join(folder, "dray.db"),
  );
  const images: NodeImages = {
    source: list.source,
    find: (image) => list.find(image),
    has: (digest) => store.has({ digest, size: 0, mediaType: "" } as Parameters<typeof store.has>[0]),
  };
  return {
    images: facts.images ?? images,
    records: facts.records ?? (policy && { shelves: FilePullRecords.look(folder), policy }),
    [Symbol.asyncDispose]: () => store.close(),
  };
}

interface Finding {
  readonly client: KubernetesClient;
  readonly values: ExplainValues;
  readonly signal: AbortSignal;
}

async function findTarget(target: string, { client, values, signal }: Finding): Promise<readonly Workload[]> {
  const [type = "", name] = target.split("/", 2);
  const resource = findType(name === undefined && !isType(type) ? "pod" : type);
  const namespace = values.namespace ?? client.namespace;
  if (name === undefined && isType(type)) {
    const everywhere = values["all-namespaces"] === true;
    const { items } = await client
      .resource(resource)
      .listAll({ namespace: everywhere ? "" : namespace, signal });
    const objects = items.map((item) => withKind(item, resource));
    return (resource.kind === "Pod" ? objects.filter(isWaiting) : objects).map((object) => ({ object }));
  }
  const found = await client.resource(resource).get(name ?? type, { namespace, signal });
  const object = withKind(found, resource);
  if (resource.kind === "Pod") return [{ object }];
  const pods = await podsOf(object, { client, namespace, signal });
  return pods.length > 0 ? pods.map((pod) => ({ object: pod })) : [{ object }];
}

/** Those that wait for an image, a few of them; of a controller without such Pods its template tells more. */
async function podsOf(
  object: KubernetesObject,
  { client, namespace, signal }: Pick<Finding, "client" | "signal"> & { readonly namespace: string },
): Promise<readonly KubernetesObject[]> {
  if (object.kind === "CronJob") return await podsOfJobs(object, { client, namespace, signal });
  const { selector } = (object["spec"] ?? {}) as { readonly selector?: JsonObject };
  if (selector === undefined) return [];
  const { matchLabels, matchExpressions } = selector;
  // A ReplicationController's selector is its labels themselves.
  const whole =
    matchLabels === undefined && matchExpressions === undefined ? { matchLabels: selector } : selector;
  const labelSelector = formatLabelSelector(readLabelSelector(whole));
  const { items } = await client.resource(PODS).listAll({ namespace, labelSelector, signal });
  return items
    .map((item) => ({ ...item, apiVersion: "v1", kind: "Pod" }))
    .filter(isWaiting)
    .slice(0, MOST_PODS);
}

/** A CronJob's Pods are its Jobs'; the youngest tell of how it is now. */
async function podsOfJobs(
  { metadata }: KubernetesObject,
  of: Parameters<typeof podsOf>[1],
): Promise<readonly KubernetesObject[]> {
  const { client, namespace, signal } = of;
  const { items } = await client.resource(JOBS).listAll({ namespace, signal });
  const own = items
    .filter(
      (job) =>
        job.metadata.ownerReferences?.some(
          ({ kind, name }) => kind === "CronJob" && name === metadata.name,
        ) === true,
    )
    .toSorted((a, b) =>
      (b.metadata.creationTimestamp ?? "").localeCompare(a.metadata.creationTimestamp ?? ""),
    );
  for (const job of own) {
    const pods = await podsOf(withKind(job, JOBS), of);
    if (pods.length > 0) return pods;
  }
  return [];
}

/** Items of a list don't say what they are. */
function withKind(
  object: KubernetesObject,
  { group, version, kind }: Pick<ApiResource, "group" | "version" | "kind">,
): KubernetesObject {
  return { ...object, apiVersion: group === "" ? version : `${group}/${version}`, kind };
}

function isWaiting(pod: KubernetesObject): boolean {
  const status = (pod["status"] ?? {}) as Readonly<Record<string, readonly JsonObject[] | undefined>>;
  return ["initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"].some((list) =>
    (status[list] ?? []).some(({ state }) => (state as JsonObject | undefined)?.["waiting"] !== undefined),
  );
}

function isType(word: string): boolean {
  return findMaker(word) !== undefined;
}

function findType(word: string): ApiResource {
  const found = findMaker(word);
  if (found !== undefined) return found;
  throw new UsageError(
    `There is nothing to explain about ${JSON.stringify(word)}: name a Pod, or what makes Pods`,
    "explain",
  );
}

/** The nodes that the Pods are on, or all of them; none where nobody may look. */
async function findNodes(
  workloads: readonly Workload[],
  { client, values, signal, hidden }: Finding & { readonly hidden: string[] },
): Promise<readonly KubernetesObject[]> {
  const assigned = workloads.map(({ object }) => {
    const { nodeName } = (object["spec"] ?? {}) as { readonly nodeName?: string };
    return nodeName ?? "";
  });
  const names = new Set(assigned.filter((name) => name !== ""));
  const nodes = client.resource(NODES);
  try {
    if (values.nodes === true) return (await nodes.listAll({ signal })).items;
    const found = await Promise.all([...names].map((name) => nodes.find(name, { signal })));
    const there = found.filter((node) => node !== undefined);
    // A template's Pods may land anywhere; one node stands for all where nobody asks for all.
    return there.length > 0 || values.platform !== undefined
      ? there
      : (await nodes.listAll({ signal })).items.slice(0, 1);
  } catch (error) {
    const { why } = unseen(error);
    hidden.push(`Nodes couldn't be looked at (${why}): platform and images of the node are assumed`);
    return [];
  }
}
