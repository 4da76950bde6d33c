import type { Cause } from "../cause.ts";

export type PresenceCauseCode =
  | "NEVER_ABSENT"
  | "NEVER_NOT_ACCESSIBLE"
  | "ACCESS_UNPROVEN"
  | "TAG_MOVED"
  | "DISK_PRESSURE"
  | "NODE_NOT_READY"
  | "BACKOFF_LINGERING"
  | "NODE_DIFFERS"
  | "PULL_QPS_EXCEEDED"
  | "SIGNATURE_REFUSED"
  | "RUNTIME_UNAVAILABLE"
  | "UNPACK_FAILED";

/** What a node does with images that are there, and that aren't. */
export const PRESENCE_CAUSES: Readonly<Record<PresenceCauseCode, Cause>> = {
  NEVER_ABSENT: {
    title: "Policy Never, and the image isn't on the node",
    exit: 3,
    symptoms: ['ErrImageNeverPull: Container image "shop/web:1" is not present with pull policy of Never'],
    story:
      "With `imagePullPolicy: Never` a node only uses what it already has. The image has to have been brought there by somebody else, under exactly this name: a tag doesn't find an image that was loaded by its digest.",
    see: "On the node: `crictl images`. In the API, for the largest images: `kubectl get node NODE -o jsonpath='{.status.images[*].names}'`.",
    fix: "Use `IfNotPresent`, or bring the image to every node that may run the Pod (`kind load docker-image`, `ctr -n k8s.io images import`).",
    example: "never-absent",
  },
  NEVER_NOT_ACCESSIBLE: {
    title: "The image is there, but not for this Pod, and policy Never forbids asking",
    exit: 4,
    symptoms: ['ErrImageNeverPull: Container image "shop/web:1" is not present with pull policy of Never'],
    story:
      "The node remembers with whose credentials an image was pulled, and lets another Pod use it only if that Pod shows credentials that are known to open it. This Pod shows none, and with `Never` the registry can't be asked. The message is that of an absent image on purpose: what is on a node isn't for everybody to know.",
    see: "Records in `/var/lib/kubelet/image_manager/pulled/`; the setting is `imagePullCredentialsVerificationPolicy`.",
    fix: "Give the Pod the pull secret and let it pull (`IfNotPresent`), or put the image on the node's allowlist if it is meant for everybody.",
    example: "never-not-accessible",
  },
  ACCESS_UNPROVEN: {
    title: "The image is there, and this Pod had to ask for it all the same",
    exit: 4,
    symptoms: [
      "ErrImagePull: failed to resolve image: pull access denied, repository does not exist or may require authorization",
    ],
    story:
      "Another Pod pulled the image with credentials that this one doesn't have, so the node asks the registry again with what this Pod has. That a neighbour runs the same image says nothing about who may have it.",
    see: "The Pod's events show `Pulling` although the image is in `crictl images`.",
    fix: "Give this Pod pull secrets of its own.",
    example: "access-unproven",
  },
  TAG_MOVED: {
    title: "The tag means another image by now, and the node keeps the old one",
    exit: 0,
    symptoms: [
      'Pulled: Container image "shop/web:1" already present on machine and can be accessed by the pod',
    ],
    story:
      "With `IfNotPresent` a node that has an image of this name never looks again. The registry's tag was pushed anew since, so new nodes run something else than this one.",
    see: "`dray digest IMAGE` against the container's `imageID`.",
    fix: "Push every build under a tag of its own, or pin the digest (`dray pin`). `imagePullPolicy: Always` looks at each start.",
    example: "tag-moved",
  },
  DISK_PRESSURE: {
    title: "The node's disk is nearly full",
    exit: 8,
    symptoms: [
      "The node was low on resource: ephemeral-storage.",
      "failed to extract layer: write: no space left on device",
    ],
    story:
      "Under disk pressure a node evicts Pods, takes no new ones, and deletes images nobody uses, also those it will need again; a pull may end with no space left.",
    see: "`kubectl describe node NODE` shows `DiskPressure True`.",
    fix: "Free or add disk: unused images go by themselves; container logs and `emptyDir` volumes are the usual hoarders.",
    example: "disk-pressure",
  },
  NODE_NOT_READY: {
    title: "The node isn't ready",
    exit: 8,
    symptoms: ["Node is not ready"],
    story:
      "The kubelet of this node doesn't report, or reports that its runtime or network isn't up. It pulls nothing until that is over.",
    see: "`kubectl describe node NODE`, condition `Ready`.",
    fix: "See to the node: kubelet, container runtime, CNI.",
    example: "node-not-ready",
  },
  BACKOFF_LINGERING: {
    title: "What was wrong is mended, and the node still waits",
    exit: 0,
    symptoms: ['ImagePullBackOff: Back-off pulling image "shop/web:1"'],
    story:
      "After each failure a node waits longer: 10 s, 20 s, 40 s, up to 5 minutes. Asked from here, the image comes now; the node just hasn't tried since. A mended Secret or registry doesn't end the wait.",
    see: "The last `Failed` event and its count.",
    fix: "Wait for the next attempt, or delete the Pod: a new one starts without a back-off.",
    example: "backoff-lingering",
  },
  NODE_DIFFERS: {
    title: "From here the image comes, from the node it doesn't",
    exit: 0,
    symptoms: ["dial tcp: lookup registry.example.com on 10.0.0.2:53: no such host"],
    story:
      "The node's last attempt failed below HTTP: name, route, certificate, proxy. The same question asked from this machine is answered. Either it was over before this look, or the node's network, resolver, trust or proxy is another.",
    see: "On the node: `crictl pull IMAGE`, `getent hosts REGISTRY`, `curl -v https://REGISTRY/v2/`.",
    fix: "Compare the node's DNS, routes, `hosts.toml`, authorities and proxy settings of its container runtime with this machine's.",
    example: "node-differs",
  },
  PULL_QPS_EXCEEDED: {
    title: "The node pulls too many images at once",
    exit: 7,
    symptoms: ["ErrImagePull: pull QPS exceeded"],
    story:
      "The kubelet begins at most `registryPullQPS` pulls a second (5, with bursts of 10). A node that gets many new Pods at once refuses the rest, which come again after a back-off.",
    see: "The event's message; the settings are the kubelet's `registryPullQPS` and `registryBurst`.",
    fix: "It passes by itself. Raise the kubelet's settings if it happens often.",
    example: "pull-qps-exceeded",
  },
  SIGNATURE_REFUSED: {
    title: "The image's signature isn't accepted",
    exit: 6,
    symptoms: [
      "SignatureValidationFailed: image pull failed for shop/web:1 because the signature validation failed",
    ],
    story:
      "The node's container runtime demands signatures, by `policy.json` or a verifier plugin, and the image has none it accepts.",
    see: "The runtime's policy on the node: `/etc/containers/policy.json`, or `image_verifier` in containerd's configuration.",
    fix: "Sign the image with a key that the policy names, or run what is signed.",
    example: "signature-refused",
  },
  RUNTIME_UNAVAILABLE: {
    title: "The node's container runtime doesn't answer",
    exit: 8,
    symptoms: [
      'ImageInspectError: Failed to inspect image "shop/web:1": rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial unix /run/containerd/containerd.sock: connect: no such file or directory"',
    ],
    story:
      "The kubelet asks its container runtime over a socket on the node, and nobody answers there: the runtime is stopped, hangs, or was upgraded under the kubelet. No registry was asked for this, whatever the words of refused connections and timeouts suggest.",
    see: "On the node: `systemctl status containerd` (or `crio`), `crictl info`. The node's condition `Ready` follows within a minute.",
    fix: "Start the runtime again, and look in its log for why it stopped. Until then move the Pod: `kubectl cordon NODE`.",
    example: "runtime-unavailable",
  },
  UNPACK_FAILED: {
    title: "The image came, and the node can't unpack it",
    exit: 8,
    symptoms: [
      'ErrImagePull: failed to extract layer sha256:…: mount callback failed on /var/lib/containerd/tmpmounts/containerd-mount1: failed to Lchown "/x" for UID 1000000 GID 1000000: invalid argument (Hint: try increasing the number of subordinate IDs)',
    ],
    story:
      "Every byte was fetched and checked, and unpacking the layers on the node fails: a file system that is read-only or broken, user and group numbers beyond what a rootless runtime may use, a snapshot that was deleted under the runtime's feet, a layer that was packed wrongly. Neither registry nor credentials are to blame.",
    see: "On the node: `crictl pull IMAGE` says it again at once; `dmesg` and the runtime's log say more. `docker pull` elsewhere tells whether the layer itself is at fault.",
    fix: "See to the file system below the runtime's folder; remove the image (`crictl rmi`) so that nothing half-done stays. If it fails everywhere, build the image anew.",
    example: "unpack-failed",
  },
};
