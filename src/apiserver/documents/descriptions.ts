/** What `kubectl explain` says of types and fields that have to do with images; by schema and field. */
export const DESCRIPTIONS: Readonly<Record<string, string | Readonly<Record<string, string>>>> = {
  "io.k8s.api.core.v1.Pod": {
    "": "A group of containers that run together on one node.",
    metadata: "The Pod's name, namespace, labels and annotations.",
    spec: "What should run, and how.",
    status: "What is running, as the node last reported it.",
  },
  "io.k8s.api.core.v1.PodSpec": {
    "": "What a Pod runs, where, and how.",
    containers: "The containers of the Pod; at least one. They can't be added or removed later.",
    initContainers:
      "Containers that run one after the other, each to its end, before the others start. One with restartPolicy Always goes on running beside them.",
    ephemeralContainers: "Containers added to a running Pod, for a look inside.",
    imagePullSecrets:
      "Secrets of this namespace that hold credentials for the registries of the Pod's images. Where there are none, those of the Pod's ServiceAccount are taken.",
    nodeName: "The node that the Pod was given to. Images are pulled there.",
    restartPolicy: "When containers that ended are started again: Always, OnFailure or Never.",
    serviceAccountName: "The ServiceAccount that the Pod acts as. Its imagePullSecrets count for the Pod.",
    volumes: "Files that containers can mount, those of an image among them.",
  },
  "io.k8s.api.core.v1.Container": {
    "": "One container of a Pod.",
    name: "The container's name: a DNS label that no other container of the Pod has.",
    image:
      "The image that the container runs: [REGISTRY/]NAME[:TAG][@DIGEST]. Without a registry it comes from Docker Hub, and without tag and digest it is the one tagged latest. A digest wins over a tag.",
    imagePullPolicy:
      "When the image is pulled. Always asks the registry each time a container starts and takes what is there already if it is the same; IfNotPresent pulls only what the node hasn't got; Never doesn't pull. The default is Always for the tag latest, or for no tag and no digest, and IfNotPresent for everything else. A later change of the image leaves the policy as it is.",
    command: "Runs in place of the image's entry point.",
    args: "Take the place of the image's own arguments.",
    workingDir: "The folder to start in; the image's own if empty.",
    env: "Variables for the container, beside those of its image.",
    ports: "Ports that the container listens on. To leave one out hides nothing.",
    resources: "The cpu and memory that the container asks for, and may use at most.",
  },
  "io.k8s.api.core.v1.EphemeralContainer": {
    "": "A container added to a running Pod, for a look inside.",
    image: "The image that the container runs: [REGISTRY/]NAME[:TAG][@DIGEST].",
    imagePullPolicy:
      "When the image is pulled: Always, IfNotPresent or Never; the defaults are those of containers.",
    targetContainerName: "The container whose processes this one sees.",
  },
  "io.k8s.api.core.v1.ImageVolumeSource": {
    "": "The files of an image, mounted without write access.",
    reference: "The image: [REGISTRY/]NAME[:TAG][@DIGEST].",
    pullPolicy:
      "When the image is pulled: Always, IfNotPresent or Never; the defaults are those of containers.",
  },
  "io.k8s.api.core.v1.Volume": {
    "": "Files that containers of a Pod can mount.",
    image: "The files of an image, pulled as those of containers are, with the same credentials.",
    name: "A DNS label that no other volume of the Pod has.",
  },
  "io.k8s.api.core.v1.LocalObjectReference": {
    "": "An object of the same namespace.",
    name: "Its name.",
  },
  "io.k8s.api.core.v1.PodStatus": {
    "": "What the node last reported of a Pod.",
    containerStatuses: "What each container does: waiting (for its image, say), running or terminated.",
    initContainerStatuses: "What each init container does.",
    phase: "Where the Pod is in its life: Pending, Running, Succeeded, Failed or Unknown.",
  },
  "io.k8s.api.core.v1.ContainerStatus": {
    "": "What the node last reported of a container.",
    image: "The image that runs, as the runtime calls it, which need not be the text of the specification.",
    imageID: "The digest or ID of the image that runs.",
    state: "What the container does now.",
  },
  "io.k8s.api.core.v1.ContainerStateWaiting": {
    "": "A container that hasn't started.",
    message: "Why, in a sentence.",
    reason: "Why, in a word: ErrImagePull, ImagePullBackOff, ErrImageNeverPull, InvalidImageName…",
  },
  "io.k8s.api.core.v1.Secret": {
    "": "Small confidential data, such as credentials for a registry.",
    data: "Names and values, the values in base64.",
    immutable: "Whether the values may never change.",
    stringData: "Names and values as plain text, which are added to data. Never shown again.",
    type: "What the Secret is for. kubernetes.io/dockerconfigjson and kubernetes.io/dockercfg hold credentials for registries, and can't be changed into another type.",
  },
  "io.k8s.api.core.v1.ServiceAccount": {
    "": "Who Pods are, when they ask the API or pull images.",
    imagePullSecrets: "Secrets with credentials for registries, for Pods that name none themselves.",
    secrets: "Secrets that Pods of this account may use.",
  },
  "io.k8s.api.core.v1.Namespace": "A scope for names, and for the Secrets that Pods may use.",
  "io.k8s.api.core.v1.Node": "A machine that runs Pods.",
  "io.k8s.api.core.v1.NodeStatus": {
    "": "What a node last reported of itself.",
    images: "The images it has, the largest first.",
  },
  "io.k8s.api.core.v1.ContainerImage": {
    "": "An image that a node has.",
    names: "Its names, with tags and with digests.",
    sizeBytes: "Its size on the node.",
  },
  "io.k8s.api.core.v1.Event": "Something that happened to an object, such as a failed pull.",
  "io.k8s.api.core.v1.PodTemplateSpec": "The Pods that a controller makes.",
  "io.k8s.api.apps.v1.Deployment":
    "A number of equal Pods, replaced step by step when their template changes.",
  "io.k8s.api.apps.v1.DaemonSet": "One Pod on each node.",
  "io.k8s.api.apps.v1.ReplicaSet": "A number of equal Pods.",
  "io.k8s.api.apps.v1.StatefulSet": "Pods with names that last.",
  "io.k8s.api.batch.v1.CronJob": "Jobs made at times that a schedule sets.",
  "io.k8s.api.batch.v1.Job": "Pods that run until enough of them have succeeded.",
};
