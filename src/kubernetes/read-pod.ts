import { defaultPullPolicy } from "./default-pull-policy.ts";
import type { DocumentReader, Place } from "./document-reader.ts";
import { type Container, type ImageVolume, PULL_POLICIES, type Pod, type PullPolicy } from "./pod.ts";

const DNS_LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const DNS_SUBDOMAIN = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;
const PADDED = /^\s|\s$/u;

/** Text longer than this is no name of anything; it is cut in messages and refused as a value. */
const MAX_TEXT = 4096;

/** Reads one Pod; what is wrong is told to the reader, and the result is `undefined` if the Pod can't be used. */
export function readPod(reader: DocumentReader, root: Place): Pod | undefined {
  const context = new PodReader(reader);
  const metadata = reader.member(root, "metadata");
  const spec = reader.member(root, "spec");
  const name = context.requiredText(reader.member(metadata, "name"));
  if (name !== undefined && (!DNS_SUBDOMAIN.test(name) || name.length > 253)) {
    context.fail(
      reader.member(metadata, "name"),
      `Invalid value: ${quote(name)}: use lower-case letters, digits, "-" and "."`,
    );
  }
  const namespace = context.text(reader.member(metadata, "namespace")) || "default";
  if (!DNS_LABEL.test(namespace)) {
    context.fail(
      reader.member(metadata, "namespace"),
      `Invalid value: ${quote(namespace)}: use lower-case letters, digits and "-"`,
    );
  }
  const uid = context.text(reader.member(metadata, "uid"));
  const annotations = context.texts(reader.member(metadata, "annotations"));
  if (reader.isAbsent(spec)) context.fail(spec, "Required value");
  const containers = context.containers(reader.member(spec, "containers"));
  if (!reader.isAbsent(spec) && containers.length === 0)
    context.fail(reader.member(spec, "containers"), "Required value");
  const initContainers = context.containers(reader.member(spec, "initContainers"));
  const ephemeralContainers = context.containers(reader.member(spec, "ephemeralContainers"));
  context.checkUnique([...initContainers, ...containers, ...ephemeralContainers], spec);
  const imageVolumes = context.imageVolumes(reader.member(spec, "volumes"));
  const imagePullSecrets = reader
    .list(reader.member(spec, "imagePullSecrets"))
    .flatMap((place) => context.text(reader.member(place, "name")) ?? []);
  const serviceAccountName = context.text(reader.member(spec, "serviceAccountName"));
  if (context.failed || name === undefined) return undefined;
  return {
    kind: "Pod",
    metadata: { name, namespace, annotations, ...(uid && { uid }) },
    spec: {
      initContainers,
      containers,
      ephemeralContainers,
      imageVolumes,
      imagePullSecrets,
      ...(serviceAccountName && { serviceAccountName }),
    },
  };
}

/** Remembers whether anything was wrong, so that a Pod is read to its end before it is given up. */
class PodReader {
  readonly #reader: DocumentReader;
  failed = false;

  constructor(reader: DocumentReader) {
    this.#reader = reader;
  }

  fail(place: Place, message: string): void {
    this.failed = true;
    this.#reader.complain(place, `${place.path}: ${message}`);
  }

  text(place: Place): string | undefined {
    if (this.#reader.isAbsent(place)) return undefined;
    const text = this.#reader.text(place);
    if (text === undefined) this.failed = true;
    else if (text.length > MAX_TEXT)
      this.fail(place, `Too long: may not be more than ${MAX_TEXT} characters`);
    return text;
  }

  requiredText(place: Place): string | undefined {
    if (this.#reader.isAbsent(place)) this.fail(place, "Required value");
    const text = this.text(place);
    if (text === "") this.fail(place, "Required value");
    return text;
  }

  texts(place: Place): Record<string, string> {
    const texts: [string, string][] = [];
    for (const [name, value] of this.#reader.map(place) ?? []) texts.push([name, this.text(value) ?? ""]);
    // fromEntries defines own properties: a key "__proto__" stays a key.
    return Object.fromEntries(texts);
  }

  containers(place: Place): Container[] {
    return this.#reader.list(place).map((container) => {
      const name = this.requiredText(this.#reader.member(container, "name")) ?? "";
      if (name !== "" && !DNS_LABEL.test(name)) {
        const message = `Invalid value: ${quote(name)}: use lower-case letters, digits and "-"`;
        this.fail(this.#reader.member(container, "name"), message);
      }
      const image = this.#image(this.#reader.member(container, "image"));
      const imagePullPolicy = this.#policy(this.#reader.member(container, "imagePullPolicy"), image);
      return { name, image, imagePullPolicy };
    });
  }

  imageVolumes(place: Place): ImageVolume[] {
    const volumes: ImageVolume[] = [];
    for (const volume of this.#reader.list(place)) {
      const image = this.#reader.member(volume, "image");
      if (this.#reader.isAbsent(image)) continue;
      const name = this.requiredText(this.#reader.member(volume, "name")) ?? "";
      const reference = this.requiredText(this.#reader.member(image, "reference")) ?? "";
      const pullPolicy = this.#policy(this.#reader.member(image, "pullPolicy"), reference);
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
    const policy = PULL_POLICIES.find((known) => known === text);
    if (policy !== undefined) return policy;
    const supported = PULL_POLICIES.map((known) => `"${known}"`).join(", ");
    this.fail(place, `Unsupported value: ${quote(text)}: supported values: ${supported}`);
    return "IfNotPresent";
  }
}

function quote(text: string): string {
  return JSON.stringify(text.length <= 120 ? text : `${text.slice(0, 117)}...`);
}
