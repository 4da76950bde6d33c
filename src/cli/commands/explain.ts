import { type Command, defineCommand } from "../command.ts";
import { EXPLAIN_OPTIONS } from "../explain/options.ts";
import { PLATFORM_OPTIONS, REGISTRY_OPTIONS, STORE_OPTIONS } from "../shared-options.ts";
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

export const explain: Command = defineCommand({
  name: "explain",
  summary: "Say why an image was or was not pulled, and how to mend it",
  details: [
    "Replays what the API server and a node do with the images of a Pod, or of anything with a Pod template, by the functions that do it, and prints causes with advice that can be pasted, then every rule, source, request and answer that led there. Each cause has a page in docs/causes.",
    "WHAT is a file, a folder or - for standard input; else it is looked up in a cluster: pod/web, deployment/web, or nothing for all Pods of the namespace that wait. The cluster is that of a dray up on this machine, unless --kubeconfig, --context or KUBECONFIG name another.",
    "It changes nothing. Registries are asked for manifests, configs and tokens, and whether they have the layers; with --no-network they aren't asked at all. Credential providers that want a token of the Pod's ServiceAccount are only run with --service-account-tokens: then the API server is asked for short-lived ones, of which it keeps none. Secrets are never printed.",
    "The node's credentials, images and pull records are only known where options name them; those of this machine are another's. The exit code is 0 when every image would come, and otherwise that of the first cause: 3 not there, 4 denied, 5 unreachable, 6 wrong content, 7 the registry failed, 8 the node, 1 the rest, images that fail in different ways, or a manifest that can't be read.",
  ],
  options: {
    ...EXPLAIN_OPTIONS,
    ...PLATFORM_OPTIONS,
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
    { name: "WHAT", summary: "A file or folder, or TYPE/NAME in a cluster", optional: true, many: true },
  ],
  examples: [
    { command: "dray explain pod.yaml", summary: "Before it is applied" },
    { command: "dray explain pod/web -n shop", summary: "Of a Pod in a cluster" },
    {
      command: "dray explain --quiet --complete manifests/",
      summary: "In CI: is there anything that won't come?",
    },
    {
      command: "kubectl get pod web -o yaml | dray explain - --no-network",
      summary: "Only what can be said without asking the registry",
    },
    { command: "dray explain deployment/web --html why.html", summary: "A page to send to somebody" },
  ],
  async run({ values, positionals }, context) {
    const { runExplain } = await import("../explain/run-explain.ts");
    return await runExplain({ values, positionals }, context);
  },
});
