import { createHash } from "node:crypto";

import type { PullSecret } from "../credentials/index.ts";
import {
  type Located,
  type Manifests,
  type SecretObject,
  type ServiceAccountObject,
  findSecretFault,
  formatProblem,
  readManifests,
} from "../kubernetes/index.ts";
import type { FolderContent, WatchedFile } from "./folder-watcher.ts";
import type { NodePod } from "./pod-source.ts";
import { admitPod, toPullSecret } from "./pull-secrets.ts";

export interface FolderObjects {
  /** By key, sorted. A Pod's uid changes whenever the Pod does, as that of the kubelet's static Pods. */
  readonly pods: ReadonlyMap<string, NodePod>;
  /** By `namespace/name`. */
  readonly secrets: ReadonlyMap<string, PullSecret>;
  /** By `namespace/name`. */
  readonly accounts: ReadonlyMap<string, ServiceAccountObject>;
  readonly problems: readonly string[];
}

/** Reads the objects of a folder; whatever can't be read becomes a sentence, and the rest stands. */
export function readFolderObjects(folder: string, content: FolderContent): FolderObjects {
  const problems: string[] = [];
  if (content.error !== undefined)
    problems.push(`Cannot read folder ${JSON.stringify(folder)}: ${why(content.error)}`);
  const files = content.files.flatMap((file) => readFile(file, problems));
  const take = <T extends Named>(
    kind: string,
    pick: (manifests: Manifests) => readonly Located<T>[],
  ): Found<T> => takeFirst({ kind, located: files.flatMap(pick), problems });
  const secrets = take("Secret", ({ secrets: list }) => list.filter((one) => isWhole(one, problems)));
  const found = take("ServiceAccount", ({ serviceAccounts }) => serviceAccounts);
  const accounts = new Map([...found].map(([key, { object }]) => [key, object]));
  const pods = [...take("Pod", ({ pods: list }) => list)].map(
    ([key, { file, object, manifest }]): NodePod => {
      const { pod, missingAccount } = admitPod(object, accounts);
      if (missingAccount !== undefined) {
        problems.push(
          `Pod ${JSON.stringify(key)} runs without the pull secrets of ServiceAccount ${JSON.stringify(missingAccount)}, which stands in no file`,
        );
      }
      return { key, uid: uidOf(file, [pod, manifest]), file, pod, manifest };
    },
  );
  pods.sort((a, b) => (a.key < b.key ? -1 : 1));
  return {
    pods: new Map(pods.map((pod) => [pod.key, pod])),
    secrets: new Map([...secrets].map(([key, { object }]) => [key, toPullSecret(object)])),
    accounts,
    problems,
  };
}

/** One that the API wouldn't keep isn't there for Pods either. */
function isWhole({ object, file, line }: Located<SecretObject>, problems: string[]): boolean {
  const fault = findSecretFault(object);
  if (fault === undefined) return true;
  const { namespace, name } = object.metadata;
  const key = JSON.stringify(`${namespace}/${name}`);
  problems.push(`${file}, line ${line}: Secret ${key} is left out: ${fault}`);
  return false;
}

interface Named {
  readonly metadata: { readonly namespace: string; readonly name: string };
}

type Found<T> = ReadonlyMap<string, Located<T>>;

function takeFirst<T extends Named>(from: {
  readonly kind: string;
  readonly located: readonly Located<T>[];
  readonly problems: string[];
}): Found<T> {
  const found = new Map<string, Located<T>>();
  for (const located of from.located) {
    const { namespace, name } = located.object.metadata;
    const key = `${namespace}/${name}`;
    const owner = found.get(key);
    if (owner === undefined) {
      found.set(key, located);
      continue;
    }
    const { file } = located;
    const place = owner.file === file ? `twice in ${file}` : `in ${owner.file} and in ${file}`;
    from.problems.push(`${from.kind} ${JSON.stringify(key)} stands ${place}: the first one counts`);
  }
  return found;
}

function readFile(file: WatchedFile, problems: string[]): readonly Manifests[] {
  if ("error" in file) {
    problems.push(`Cannot read ${JSON.stringify(file.name)}: ${why(file.error)}`);
    return [];
  }
  const manifests = readManifests(file.text, { file: file.name });
  problems.push(...manifests.problems.map(formatProblem));
  for (const { object } of manifests.others) {
    if (object.images.length === 0) continue;
    problems.push(
      `${file.name}: a ${object.kind} is not run here: a node runs the Pods that a controller makes of it`,
    );
  }
  return [manifests];
}

function uidOf(file: string, content: unknown): string {
  return createHash("sha256")
    .update(file)
    .update("\0")
    .update(JSON.stringify(content))
    .digest("hex")
    .slice(0, 32);
}

function why(error: NodeJS.ErrnoException): string {
  if (error.code === "ENOENT") return "there is no such folder";
  if (error.code === "EACCES" || error.code === "EPERM") return "permission denied";
  if (error.code === "ENOTDIR") return "it is not a folder";
  return error.message;
}
