import { defaultPullPolicy } from "./default-pull-policy.ts";
import type { DocumentReader, Place } from "./document-reader.ts";
import { isLabel, ObjectReader, quote } from "./object-reader.ts";
import {
  type Container,
  type ContainerResources,
  type ImageVolume,
  PULL_POLICIES,
  type Pod,
  type PullPolicy,
  RESTART_POLICIES,
  type RestartPolicy,
} from "./pod.ts";

/** Every cluster has these two; others are objects that don't stand here. */
const CLASSES: Readonly<Record<string, number>> = {
  "system-cluster-critical": 2_000_000_000,
  "system-node-critical": 2_000_001_000,
};

const PADDED = /^\s|\s$/u;

/** Reads one Pod; what is wrong is told to the reader, and the result is `undefined` if the Pod can't be used. */
export function readPod(reader: DocumentReader, root: Place): Pod | undefined {
  const context = new PodReader(reader);
  const metadata = context.metadata(root);
  const spec = reader.member(root, "spec");
  if (reader.isAbsent(spec)) context.fail(spec, "Required value");
  const containers = context.containers(reader.member(spec, "containers"));
  if (!reader.isAbsent(spec) && containers.length === 0)
    context.fail(reader.member(spec, "containers"), "Required value");
  const initContainers = context.containers(reader.member(spec, "initContainers"));
  const ephemeralContainers = context.containers(reader.member(spec, "ephemeralContainers"));
  context.checkUnique([...initContainers, ...containers, ...ephemeralContainers], spec);
  const imageVolumes = context.imageVolumes(reader.member(spec, "volumes"));
  const imagePullSecrets = context.names(reader.member(spec, "imagePullSecrets"));
  const serviceAccountName = context.text(reader.member(spec, "serviceAccountName"));
  const priority = context.priority(spec);
  const restartPolicy = context.restartPolicy(reader.member(spec, "restartPolicy"));
  if (context.failed || metadata === undefined) return undefined;
  return {
    kind: "Pod",
    metadata,
    spec: {
      initContainers,
      containers,
      ephemeralContainers,
      imageVolumes,
      imagePullSecrets,
      ...(serviceAccountName && { serviceAccountName }),
      ...(priority !== undefined && { priority }),
      ...(restartPolicy && { restartPolicy }),
    },
  };
}

class PodReader extends ObjectReader {
  priority(spec: Place): number | undefined {
    const written = this.reader.integer(this.reader.member(spec, "priority"));
    const className = this.text(this.reader.member(spec, "priorityClassName")) ?? "";
    return written ?? (Object.hasOwn(CLASSES, className) ? CLASSES[className] : undefined);
  }

  containers(place: Place): Container[] {
    return this.reader.list(place).map((container) => {
      const name = this.requiredText(this.reader.member(container, "name")) ?? "";
      if (name !== "" && !isLabel(name)) {
        const message = `Invalid value: ${quote(name)}: use lower-case letters, digits and "-"`;
        this.fail(this.reader.member(container, "name"), message);
      }
      const image = this.#image(this.reader.member(container, "image"));
      const imagePullPolicy = this.#policy(this.reader.member(container, "imagePullPolicy"), image);
      const volumeMounts = this.names(this.reader.member(container, "volumeMounts"));
      const restartPolicy = this.restartPolicy(this.reader.member(container, "restartPolicy"));
      const resources = this.#resources(this.reader.member(container, "resources"));
      return {
        name,
        image,
        imagePullPolicy,
        ...(volumeMounts.length > 0 && { volumeMounts }),
        ...(restartPolicy && { restartPolicy }),
        ...(resources && { resources }),
      };
    });
  }

  restartPolicy(place: Place): RestartPolicy | undefined {
    const text = this.text(place);
    if (text === undefined || text === "") return undefined;
    return this.#oneOf(RESTART_POLICIES, place, text);
  }

  imageVolumes(place: Place): ImageVolume[] {
    const volumes: ImageVolume[] = [];
    for (const volume of this.reader.list(place)) {
      const image = this.reader.member(volume, "image");
      if (this.reader.isAbsent(image)) continue;
      const name = this.requiredText(this.reader.member(volume, "name")) ?? "";
      const reference = this.requiredText(this.reader.member(image, "reference")) ?? "";
      const pullPolicy = this.#policy(this.reader.member(image, "pullPolicy"), reference);
      volumes.push({ name, reference, pullPolicy });
    }
    return volumes;
  }

  checkUnique(containers: readonly Container[], spec: Place): void {
    const seen = new Set<string>();
    for (const { name } of containers) {
      if (name !== "" && seen.has(name))
        this.fail(spec, `Duplicate value: ${quote(name)} names two containers`);
      seen.add(name);
    }
  }

  #image(place: Place): string {
    const image = this.requiredText(place) ?? "";
    if (PADDED.test(image))
      this.fail(place, `Invalid value: ${quote(image)}: must not have leading or trailing whitespace`);
    return image;
  }

  #policy(place: Place, image: string): PullPolicy {
    const text = this.text(place);
    if (text === undefined || text === "") return defaultPullPolicy(image);
    return this.#oneOf(PULL_POLICIES, place, text) ?? "IfNotPresent";
  }

  #oneOf<T extends string>(values: readonly T[], place: Place, text: string): T | undefined {
    const value = values.find((known) => known === text);
    if (value !== undefined) return value;
    const supported = values.map((known) => `"${known}"`).join(", ");
    this.fail(place, `Unsupported value: ${quote(text)}: supported values: ${supported}`);
    return undefined;
  }

  #resources(place: Place): ContainerResources | undefined {
    if (this.reader.isAbsent(place)) return undefined;
    const limits = this.#quantities(this.reader.member(place, "limits"));
    const requests = this.#quantities(this.reader.member(place, "requests"));
    return { limits, requests };
  }

  #quantities(place: Place): Record<string, string> {
    const entries = [...(this.reader.map(place) ?? [])];
    return Object.fromEntries(entries.map(([name, value]) => [name, this.reader.textOrNumber(value) ?? ""]));
  }
}
