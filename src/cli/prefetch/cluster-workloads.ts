/** Pods and what makes them, looked up in a cluster. */
import type { Surroundings } from "../../explain/index.ts";
import type { ApiResource, KubernetesObject } from "../../kubernetes/index.ts";
import type { CommandContext } from "../context.ts";
import { UsageError } from "../errors.ts";
import { findMaker } from "../find-maker.ts";
import { ClusterSurroundings } from "../explain/cluster-surroundings.ts";
import { findUp } from "../explain/live.ts";
import { connectAsPerson } from "../webhook/cluster.ts";
import type { PrefetchValues } from "./options.ts";

export interface ClusterWorkloads extends AsyncDisposable {
  readonly surroundings: Surroundings;
  /** @param target `deployment/web`, or `deployments` for all of the namespace */
  find(target: string): Promise<readonly KubernetesObject[]>;
}

/** The cluster of a dray up on this machine, unless a kubeconfig or a context is named. */
export async function openWorkloads(
  values: PrefetchValues,
  context: CommandContext,
): Promise<ClusterWorkloads> {
  const up = await findUp(values, context);
  const connected = await connectAsPerson(
    up === undefined ? values : { ...values, kubeconfig: up.kubeconfig },
    context,
  );
  const { client } = connected;
  const { signal } = context;
  const all = values["all-namespaces"] === true;
  const find = async (target: string): Promise<readonly KubernetesObject[]> => {
    const [type = "", name] = target.split("/");
    const resource = findMaker(type);
    if (resource === undefined) throw new UsageError(`${JSON.stringify(type)} makes no Pods`, "prefetch");
    const namespace = values.namespace ?? client.namespace;
    const objects = client.resource(resource);
    if (name !== undefined) {
      if (all) throw new UsageError("Option --all-namespaces is for TYPE alone, without /NAME", "prefetch");
      return [withKind(await objects.get(name, { namespace, signal }), resource)];
    }
    const { items } = await objects.listAll({ namespace: all ? "" : namespace, signal });
    return items.map((item) => withKind(item, resource));
  };
  return {
    surroundings: new ClusterSurroundings(client),
    find,
    [Symbol.asyncDispose]: async () => await connected[Symbol.asyncDispose](),
  };
}

/** Items of a list don't say what they are. */
function withKind(object: KubernetesObject, { group, version, kind }: ApiResource): KubernetesObject {
  return { ...object, apiVersion: group === "" ? version : `${group}/${version}`, kind };
}
