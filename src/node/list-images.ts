import type { Container, Pod } from "../kubernetes/index.ts";
import type { ContainerState, ImageRole } from "./pod-state.ts";

/** One image a Pod needs, and what its fetching goes by. */
export interface PodImage {
  readonly role: ImageRole;
  readonly name: string;
  readonly image: string;
  readonly policy: ContainerState["policy"];
  /** What events about it point at; a volume's are the Pod's. */
  readonly fieldPath: string | undefined;
  /** Image volumes it mounts. */
  readonly mounts: readonly string[];
  /** Absent for volumes. */
  readonly container?: Container | undefined;
}

const FIELDS = {
  init: "spec.initContainers",
  container: "spec.containers",
  ephemeral: "spec.ephemeralContainers",
} as const;

/** All images of a Pod, volumes first. */
export function listImages(pod: Pod): readonly PodImage[] {
  const { imageVolumes, initContainers, containers, ephemeralContainers } = pod.spec;
  const volumes = new Set(imageVolumes.map(({ name }) => name));
  const ofContainers = (role: keyof typeof FIELDS, list: readonly Container[]): readonly PodImage[] =>
    list.map((container) => {
      const { name, image, imagePullPolicy, volumeMounts = [] } = container;
      return {
        role,
        name,
        image,
        policy: imagePullPolicy,
        fieldPath: `${FIELDS[role]}{${name}}`,
        mounts: volumeMounts.filter((mount) => volumes.has(mount)),
        container,
      };
    });
  return [
    ...imageVolumes.map(({ name, reference, pullPolicy }): PodImage => ({
      role: "volume",
      name,
      image: reference,
      policy: pullPolicy,
      fieldPath: undefined,
      mounts: [],
    })),
    ...ofContainers("init", initContainers),
    ...ofContainers("container", containers),
    ...ofContainers("ephemeral", ephemeralContainers),
  ];
}
