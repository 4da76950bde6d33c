import { API_RESOURCES, type ApiResource } from "../kubernetes/index.ts";

const MAKERS: ReadonlySet<string> = new Set([
  "Pod",
  "Deployment",
  "StatefulSet",
  "DaemonSet",
  "ReplicaSet",
  "ReplicationController",
  "Job",
  "CronJob",
]);

/** What a type of kubectl's command lines means, if it makes Pods. */
export function findMaker(word: string): ApiResource | undefined {
  const lower = word.toLowerCase();
  return API_RESOURCES.find(
    ({ resource, singular, shortNames, kind }) =>
      MAKERS.has(kind) && [resource, singular, ...shortNames, kind.toLowerCase()].includes(lower),
  );
}
