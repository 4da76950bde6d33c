/** What of a node's final state belongs to one scenario. */
import { containersOf } from "./cluster.ts";
import type { RecordedNodeImage, RecordFile, Recording } from "./recording.ts";

/** Registry and repository of everything the scenario's Pods and its node name. */
export function repositoriesOf(recording: Recording): ReadonlySet<string> {
  const pushed = recording.registry.images.map(({ registry, repository }) => `${registry}/${repository}`);
  const named = referencesOf(recording).map((image) => image.replace(/@.*$/, "").replace(/:[^/:]*$/, ""));
  return new Set([...pushed, ...named]);
}

function referencesOf(recording: Recording): readonly string[] {
  return [
    ...recording.nodeImagesBefore.map(({ ref }) => ref),
    ...recording.steps.flatMap(({ stored }) => [
      ...containersOf(stored ?? {}).map(({ container }) => container.image),
      ...(stored?.imageVolumes ?? []).map(({ image }) => image.reference),
    ]),
  ];
}

/** Scenarios ran on one node, one after the other: what others left behind says nothing of this one. */
export function relevantImages(recording: Recording): readonly RecordedNodeImage[] {
  const repositories = repositoriesOf(recording);
  const isOwn = (name: string): boolean => repositories.has(name.replace(/@.*$/, "").replace(/:[^/:]*$/, ""));
  return recording.nodeImagesAfter
    .map((image) => ({
      ...image,
      repoTags: image.repoTags.filter(isOwn),
      repoDigests: image.repoDigests.filter(isOwn),
    }))
    .filter(({ repoTags, repoDigests }) => repoTags.length > 0 || repoDigests.length > 0);
}

export function relevantRecords(recording: Recording): readonly RecordFile[] {
  const repositories = repositoriesOf(recording);
  return recording.imageManagerRecords.pulled.filter(({ content }) =>
    Object.keys(content["credentialMapping"] ?? {}).some((name) => repositories.has(name)),
  );
}
