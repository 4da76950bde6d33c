import { type Command, defineCommand } from "../command.ts";
import { PREFETCH_OPTIONS } from "../prefetch/options.ts";
import { REGISTRY_OPTIONS, STORE_OPTIONS } from "../shared-options.ts";
import { NODE_CREDENTIAL_OPTIONS } from "../up/node-credential-options.ts";
import { CLUSTER_OPTIONS } from "../webhook/cluster.ts";

const {
  "plain-http": plainHttp,
  insecure,
  "tls-ca": ca,
  "tls-cert": cert,
  "tls-key": key,
  "hosts-dir": hosts,
} = REGISTRY_OPTIONS;

export const prefetch: Command = defineCommand({
  name: "prefetch",
  summary: "Bring images to this node before its Pods want them, through any CRI socket",
  details: [
    "WHAT is an image, or TYPE/NAME or TYPE for workloads of a cluster: deployment/web, daemonsets. Their images come with --filename from manifests, too. The cluster is that of a dray up on this machine, unless --kubeconfig, --context or KUBECONFIG name another. An image that reads like a workload is meant when its registry is written: docker.io/deployment/web.",
    "The service that is asked is named by --socket, or as for crictl by IMAGE_SERVICE_ENDPOINT or CONTAINER_RUNTIME_ENDPOINT; otherwise it is the first socket there is of cri.sock in the data directory, containerd's, CRI-O's and cri-dockerd's. Each pull shows the credentials a kubelet would: the imagePullSecrets of the Pod and its ServiceAccount, then the node's own, one after the other. Failures are told in the kubelet's words.",
    "Before the first pull, registries are asked for sizes, and the disk for room: --keep-free and --max-bytes refuse the lot, and say by how much. Layers that are here already don't count.",
    "With --pin, images stay whatever the kubelet collects: dray's own service keeps pins in its folder, containerd by its label, which takes --containerd. Other runtimes offer no way.",
    "The exit code is 1 when an image didn't come, 8 when the budget is exceeded or no service answers.",
  ],
  options: {
    ...PREFETCH_OPTIONS,
    ...CLUSTER_OPTIONS,
    ...NODE_CREDENTIAL_OPTIONS,
    "plain-http": plainHttp,
    insecure,
    "tls-ca": ca,
    "tls-cert": cert,
    "tls-key": key,
    "hosts-dir": hosts,
    ...STORE_OPTIONS,
  },
  arguments: [
    { name: "WHAT", summary: "An image, or TYPE/NAME or TYPE in a cluster", optional: true, many: true },
  ],
  examples: [
    { command: "dray prefetch nginx:1.27 redis:8", summary: "Two images" },
    { command: "dray prefetch -f manifests/ --dry-run", summary: "What would come, and does it fit?" },
    { command: "dray prefetch deployment/web -n shop --pin", summary: "As its Pods would, to stay" },
    {
      command:
        "dray prefetch --images-from list.txt --keep-free 20G --socket /run/containerd/containerd.sock",
      summary: "A list, through containerd, as long as there is room",
    },
    { command: "dray prefetch --unpin nginx:1.27", summary: "Let it be collected again" },
  ],
  async run({ values, positionals }, context) {
    const { runPrefetch } = await import("../prefetch/run-prefetch.ts");
    return await runPrefetch(positionals, values, context);
  },
});
