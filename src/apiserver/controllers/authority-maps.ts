/** Tells each namespace whom to trust when calling the server: `kube-root-ca.crt`, which Pods are given with their token. */
import { findResource, Informer, isRefusal, type JsonObject } from "../../kubernetes/index.ts";
import type { ControllerContext } from "./context.ts";
import { canonical, isDeleting, nameOf } from "./objects.ts";
import { isEnding } from "./pod-control.ts";
import { WorkQueue } from "./work-queue.ts";

const NAME = "kube-root-ca.crt";
const DESCRIPTION =
  "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";

export interface AuthorityMaps {
  readonly queue: WorkQueue;
  /** Follows namespaces and what was written into them, until the signal is aborted. */
  run(signal: AbortSignal): Promise<void>;
}

/** Whatever somebody does to one of the maps, it comes back as it should be. */
export function authorityMaps(context: ControllerContext, authority: string): AuthorityMaps {
  const { client, clock, onError, signal } = context;
  const [namespaces, maps] = ["namespaces", "configmaps"].map((resource) => {
    const found = findResource({ group: "", version: "v1", resource });
    if (found === undefined) throw new TypeError(`Cannot watch ${resource}: no such resource`);
    return client.resource(found);
  });
  if (namespaces === undefined || maps === undefined) throw new TypeError("Cannot watch: no such resource");
  const places = new Informer(namespaces, { onError });
  const known = new Informer(maps, { fieldSelector: `metadata.name=${NAME}`, onError });
  const data: JsonObject = { "ca.crt": authority };
  const reconcile = async (namespace: string): Promise<undefined> => {
    const place = places.get(namespace);
    if (place === undefined || isDeleting(place)) return;
    const map = known.get(NAME, namespace);
    if (map !== undefined && canonical(map["data"]) === canonical(data)) return;
    try {
      if (map !== undefined) await maps.update({ ...map, data }, { namespace, signal });
      else {
        const annotations = { "kubernetes.io/description": DESCRIPTION };
        const metadata = { name: NAME, namespace, annotations };
        await maps.create({ apiVersion: "v1", kind: "ConfigMap", metadata, data }, { namespace, signal });
      }
    } catch (error) {
      // Seen in a moment, or on its way out.
      if (!isRefusal(error, 409) && !isEnding(error)) throw error;
    }
  };
  const queue = new WorkQueue({ clock, onError, reconcile });
  places.subscribe(({ object }) => queue.add(nameOf(object)));
  known.subscribe(({ object }) => queue.add(object.metadata.namespace ?? ""));
  return {
    queue,
    run: async (until) => {
      const following = [places.run(until), known.run(until)];
      await Promise.all([places.synced(until), known.synced(until)]).catch(() => {});
      await Promise.all([...following, queue.run(until)]);
    },
  };
}
