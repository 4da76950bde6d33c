/** Which images are wanted, and who wants them: that decides whose credentials are shown. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";

import { listImages } from "../../admission/index.ts";
import type { PullSecret } from "../../credentials/index.ts";
import {
  GivenObjects,
  isKubernetesObject,
  isStored,
  namespaceOf,
  podOf,
  pullSecretNames,
  storePod,
  type Surroundings,
} from "../../explain/index.ts";
import type { Annotation, EnsurePod } from "../../images/index.ts";
import { applyDefaultImageTag } from "../../images/index.ts";
import type { JsonObject, KubernetesObject } from "../../kubernetes/index.ts";
import type { CommandContext } from "../context.ts";
import { UsageError } from "../errors.ts";
import { readFiles } from "../explain/read-files.ts";
import { findMaker } from "../find-maker.ts";
import { openWorkloads } from "./cluster-workloads.ts";
import type { PrefetchValues } from "./options.ts";

/** Who wants an image. */
export interface Asker {
  /** `Deployment shop/web`; `undefined` for the command line. */
  readonly workload: string | undefined;
  readonly pod: EnsurePod | undefined;
  readonly annotations: readonly Annotation[];
  readonly pullSecrets: readonly PullSecret[];
}

export interface WantedImage {
  /** With its default tag, where it is a name at all. */
  readonly image: string;
  /** Those with different credentials, in their order. */
  readonly askers: readonly Asker[];
}

export interface Wanted {
  readonly images: readonly WantedImage[];
  /** What couldn't be read or seen, in sentences. */
  readonly problems: readonly string[];
}

const NOBODY: Asker = { workload: undefined, pod: undefined, annotations: [], pullSecrets: [] };

/** @param words images, and `TYPE/NAME` or `TYPE` for workloads of a cluster */
export async function findWanted(
  words: readonly string[],
  values: PrefetchValues,
  context: CommandContext,
): Promise<Wanted> {
  const wanted = new WantedImages();
  const targets = words.filter((word) => isWorkload(word));
  for (const word of words) if (!targets.includes(word)) wanted.add(word, NOBODY);
  for (const file of values["images-from"] ?? []) {
    for (const image of await readList(file, context)) wanted.add(image, NOBODY);
  }
  if (values.filename !== undefined) await fromFiles(values.filename, { wanted, values, context });
  if (targets.length > 0) {
    await using workloads = await openWorkloads(values, context);
    for (const target of targets) {
      for (const object of await workloads.find(target)) {
        await addWorkload(object, { wanted, surroundings: workloads.surroundings, context });
      }
    }
  }
  return wanted;
}

/** `deployment/web`, `pods`: one slash at most and no tag, after a type that makes Pods. */
function isWorkload(word: string): boolean {
  const [type = "", name, more] = word.split("/");
  return more === undefined && !/[:@]/.test(name ?? "") && name !== "" && findMaker(type) !== undefined;
}

interface Work {
  readonly wanted: WantedImages;
  readonly context: CommandContext;
}

async function fromFiles(
  paths: readonly string[],
  { wanted, values, context }: Work & { readonly values: PrefetchValues },
): Promise<void> {
  const { objects, secrets, problems } = await readFiles(paths, context);
  wanted.problems.push(...problems);
  const { namespace } = values;
  const known = objects.flatMap(({ object }) =>
    isKubernetesObject(object) ? [inNamespace(object, namespace)] : [],
  );
  const surroundings = new GivenObjects({
    objects: known,
    secrets: secrets.map(({ object }) => inNamespace(object, namespace)),
    complete: false,
  });
  for (const object of known) await addWorkload(object, { wanted, surroundings, context });
}

/** As `kubectl apply -n` would send it. */
function inNamespace<T extends { readonly metadata: { readonly namespace?: string } }>(
  object: T,
  namespace: string | undefined,
): T {
  if (namespace === undefined || object.metadata.namespace !== undefined) return object;
  return { ...object, metadata: { ...object.metadata, namespace } };
}

async function addWorkload(
  object: KubernetesObject,
  { wanted, surroundings, context: { signal } }: Work & { readonly surroundings: Surroundings },
): Promise<void> {
  const sent = podOf(object);
  if (sent === undefined) return;
  const { metadata } = object;
  const stored = object.kind === "Pod" && isStored(object);
  const { pod, account } = await storePod(sent, { surroundings, plugins: [], stored, signal });
  const namespace = namespaceOf(pod);
  const workload = `${object.kind} ${namespace}/${metadata.name ?? ""}`;
  if (account.state === "unseen") {
    wanted.problems.push(
      `${workload}: the ServiceAccount ${account.name} can't be seen (${account.why ?? ""}), so its imagePullSecrets are left out`,
    );
  }
  const pullSecrets: PullSecret[] = [];
  for (const name of pullSecretNames(pod)) {
    const seen = await surroundings.secret({ namespace, name }, { signal });
    if (seen.state === "found") pullSecrets.push(seen.value);
    else {
      const why = seen.state === "missing" ? "there is none" : seen.why;
      wanted.problems.push(`${workload}: the Secret ${name} is left out: ${why}`);
    }
  }
  const { name = "", uid = "", annotations = {} } = pod.metadata;
  const asker: Asker = {
    workload,
    pod: { name, namespace, uid, serviceAccountName: account.name },
    annotations: Object.entries(annotations).map(([key, value]) => ({ name: key, value })),
    pullSecrets,
  };
  const spec = pod["spec"] as JsonObject | undefined;
  for (const { image } of listImages(spec)) if (image !== "") wanted.add(image, asker);
}

async function readList(file: string, { cwd, stdin }: CommandContext): Promise<readonly string[]> {
  const chunks: Uint8Array[] = [];
  if (file === "-") for await (const chunk of stdin) chunks.push(chunk);
  const text =
    file === "-" ? Buffer.concat(chunks).toString("utf8") : await readFile(resolve(cwd, file), "utf8");
  const images = text.split("\n").map((line) => line.replace(/(^|\s)#.*$/, "").trim());
  const wrong = images.find((image) => /\s/.test(image));
  if (wrong !== undefined) {
    throw new UsageError(
      `Cannot read ${JSON.stringify(file)}: ${JSON.stringify(wrong)} is more than one image in a line`,
    );
  }
  return images.filter((image) => image !== "");
}

class WantedImages implements Wanted {
  readonly problems: string[] = [];
  readonly #byImage = new Map<string, Map<string, Asker>>();

  get images(): readonly WantedImage[] {
    return [...this.#byImage].map(([image, askers]) => ({ image, askers: [...askers.values()] }));
  }

  add(text: string, asker: Asker): void {
    const image = withTag(text);
    const askers = this.#byImage.get(image) ?? new Map<string, Asker>();
    this.#byImage.set(image, askers);
    // A hundred Pods with the same Secrets are one.
    const key = JSON.stringify(asker.pullSecrets.map(({ namespace, name }) => [namespace, name]));
    if (!askers.has(key)) askers.set(key, asker);
  }
}

/** What is no name stays as it is, and is told of when its turn comes. */
function withTag(image: string): string {
  try {
    return applyDefaultImageTag(image);
  } catch {
    return image;
  }
}
