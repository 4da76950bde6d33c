import type { Cause } from "../cause.ts";

export type NameCauseCode =
  | "NAME_INVALID"
  | "NAME_AMBIGUOUS"
  | "POD_INVALID"
  | "ADMISSION_REFUSED"
  | "SERVICE_ACCOUNT_MISSING"
  | "IMAGE_CHANGED"
  | "POD_NOT_ASSIGNED";

/** The name, the Pod, and the API server's door. */
export const NAME_CAUSES: Readonly<Record<NameCauseCode, Cause>> = {
  NAME_INVALID: {
    title: "The image's name can't be read",
    exit: 3,
    symptoms: [
      'InvalidImageName: Failed to apply default image tag "shop/Web:1": couldn\'t parse image name "shop/Web:1": invalid reference format: repository name (shop/Web) must be lowercase',
    ],
    story:
      "The node takes the name apart before it does anything else, and can't. Repositories are lower-case, tags are letters, digits, `_`, `.` and `-`, a digest is `sha256:` and 64 hexadecimal digits, and there is no `https://` in front. The API server doesn't look at any of this, so it accepts the Pod.",
    see: "The container waits with reason `InvalidImageName` and no request is ever sent.",
    fix: "Write the name as `registry/repository:tag`. A template that left a variable empty is the usual reason.",
    example: "name-invalid",
  },
  NAME_AMBIGUOUS: {
    title: "The image's name has no registry, and the node doesn't guess",
    exit: 3,
    symptoms: [
      'ImageInspectError: Failed to inspect image "nginx:1": rpc error: code = Unknown desc = short name mode is enforcing, but image name nginx:1 returns ambiguous list',
    ],
    story:
      "A name without a registry is Docker Hub's for containerd and Docker. CRI-O looks such short names up in the registries of its own list; where there are several, or none, and the mode is `enforcing`, it refuses rather than pull from the wrong one.",
    see: "On the node: `unqualified-search-registries` and `short-name-mode` in `/etc/containers/registries.conf`, aliases in `registries.conf.d`.",
    fix: "Write the registry into the name, such as `docker.io/library/nginx:1`.",
    example: "name-ambiguous",
  },
  POD_INVALID: {
    title: "The API server refuses the Pod",
    exit: 1,
    symptoms: [
      'The Pod "web" is invalid: spec.containers[0].image: Required value',
      'The Pod "web" is invalid: spec.containers[0].image: Invalid value: " nginx:1": must not have leading or trailing whitespace',
    ],
    story:
      "What is in the manifest breaks a rule of the Pod's schema, so it is never stored and no node hears of it. Of a Deployment the template is checked with the same rules.",
    see: "`kubectl apply --dry-run=server -f FILE` says the same without storing anything.",
    fix: "Change the field that the message names.",
    example: "pod-invalid",
  },
  ADMISSION_REFUSED: {
    title: "A rule at the API server's door refuses the image",
    exit: 1,
    symptoms: ['Error from server (Forbidden): pods "web" is forbidden: container "web" uses tag latest'],
    story:
      "An admission step looked at the Pod and said no: an image from a registry that isn't allowed, a tag where a digest is demanded, `latest` where it is forbidden. The Pod isn't stored. Of a Deployment the Deployment is stored, and its ReplicaSet fails to make Pods.",
    see: "`kubectl describe replicaset` shows `FailedCreate` with the same words. `dray policy` runs the rules on files.",
    fix: "Use an image that the rules allow, or have the rule changed by whoever set it.",
    example: "admission-refused",
  },
  SERVICE_ACCOUNT_MISSING: {
    title: "The Pod's ServiceAccount isn't there",
    exit: 1,
    symptoms: [
      'Error from server (Forbidden): error when creating "pod.yaml": pods "web" is forbidden: error looking up service account shop/robot: serviceaccount "robot" not found',
    ],
    story:
      "Every Pod has a ServiceAccount, which must exist when the Pod is made; pull secrets of the account are copied into the Pod at that moment.",
    see: "`kubectl get serviceaccount -n NAMESPACE`",
    fix: "Create the account, or name another in `spec.serviceAccountName`.",
    example: "service-account-missing",
  },
  IMAGE_CHANGED: {
    title: "The Pod's image isn't the one in its template",
    exit: 0,
    symptoms: [],
    story:
      "Something between the manifest and the node wrote another image into the Pod: a mutating webhook that rewrites registries or pins digests, or somebody's `kubectl set image` on the Pod. What is pulled is what the Pod has.",
    see: "Compare `kubectl get pod NAME -o jsonpath='{.spec.containers[*].image}'` with the Deployment's template, and `kubectl get mutatingwebhookconfigurations`.",
    fix: "Nothing, if it is meant. Otherwise change the webhook's rules: editing the Pod won't last.",
    example: "image-changed",
  },
  POD_NOT_ASSIGNED: {
    title: "No node has been chosen for the Pod yet",
    exit: 0,
    symptoms: ["0/3 nodes are available: 3 Insufficient memory."],
    story:
      "Images are pulled by the node a Pod runs on. This Pod has none, so nothing was pulled and nothing is wrong with the image so far.",
    see: "`kubectl describe pod` shows `FailedScheduling` with the scheduler's reason.",
    fix: "See to the scheduler's reason: resources, taints, volumes, affinity.",
    example: "pod-not-assigned",
  },
};
