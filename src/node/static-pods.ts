import { createHash } from "node:crypto";

import { type Pod, formatProblem, readManifests } from "../kubernetes/index.ts";
import type { FolderContent, WatchedFile } from "./folder-watcher.ts";

/** A Pod from a file. Its uid changes whenever the Pod does, as that of the kubelet's static Pods. */
export interface StaticPod {
  /** `namespace/name`. */
  readonly key: string;
  readonly uid: string;
  readonly file: string;
  readonly pod: Pod;
}

export interface StaticPods {
  /** By key, sorted. */
  readonly pods: ReadonlyMap<string, StaticPod>;
  readonly problems: readonly string[];
}

/** Reads the Pods of a folder; whatever can't be read becomes a sentence, and the rest stands. */
export function readStaticPods(folder: string, content: FolderContent): StaticPods {
  const problems: string[] = [];
  const found: StaticPod[] = [];
  const owners = new Map<string, string>();
  if (content.error !== undefined)
    problems.push(`Cannot read folder ${JSON.stringify(folder)}: ${why(content.error)}`);
  for (const file of content.files) {
    for (const { key, uid, pod } of readFile(file, problems)) {
      const owner = owners.get(key);
      if (owner !== undefined) {
        const place = owner === file.name ? `twice in ${owner}` : `in ${owner} and in ${file.name}`;
        problems.push(`Pod ${JSON.stringify(key)} stands ${place}: the first one counts`);
        continue;
      }
      owners.set(key, file.name);
      found.push({ key, uid, file: file.name, pod });
    }
  }
  found.sort((a, b) => (a.key < b.key ? -1 : 1));
  return { pods: new Map(found.map((pod) => [pod.key, pod])), problems };
}

function readFile(file: WatchedFile, problems: string[]): { key: string; uid: string; pod: Pod }[] {
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
  return manifests.pods.map(({ object }) => ({
    key: `${object.metadata.namespace}/${object.metadata.name}`,
    uid: createHash("sha256")
      .update(file.name)
      .update("\0")
      .update(JSON.stringify(object))
      .digest("hex")
      .slice(0, 32),
    pod: object,
  }));
}

function why(error: NodeJS.ErrnoException): string {
  if (error.code === "ENOENT") return "there is no such folder";
  if (error.code === "EACCES" || error.code === "EPERM") return "permission denied";
  if (error.code === "ENOTDIR") return "it is not a folder";
  return error.message;
}
