/** A recorded Pod as the API server had it while it failed, and whether it tells by itself what asking would tell. */
import { type CauseCode, type ImageTrace, type PodTrace } from "../../src/explain/index.ts";
import type { JsonObject, KubernetesObject } from "../../src/kubernetes/index.ts";
import type { RecordedEvent, RecordedSample, RecordedStep, Recording } from "../traces/recording.ts";

const START = Date.UTC(2026, 0, 1);

export interface StoredPod {
  readonly pod: KubernetesObject;
  readonly events: readonly JsonObject[];
}

/** Undefined for a Pod that never failed. */
export function storedPod(
  recording: Recording,
  of: { readonly step: RecordedStep; readonly events: readonly RecordedEvent[]; readonly until: number },
): StoredPod | undefined {
  const { step, until } = of;
  const { object, stored, namespace = "default" } = step;
  const name = object?.metadata.name ?? "";
  const sample = recording.samples.findLast(
    (one) =>
      (one.pod === name || one.pod === `${namespace}/${name}`) &&
      one.t > step.t &&
      one.t <= until &&
      isFailing(one),
  );
  if (object === undefined || stored === undefined || sample === undefined) return undefined;
  const { imageVolumes = [], ...spec } = stored;
  const volumes = imageVolumes.map((volume) => ({ name: volume.name, image: { ...volume.image } }));
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace,
      uid: "00000000-0000-4000-8000-000000000001",
      creationTimestamp: "2026-01-01T00:00:00Z",
    },
    spec: { ...spec, nodeName: "lab1", ...(volumes.length > 0 && { volumes }) },
    status: {
      phase: sample.phase,
      containerStatuses: sample.containerStatuses,
      initContainerStatuses: sample.initContainerStatuses,
      ephemeralContainerStatuses: sample.ephemeralContainerStatuses,
    },
  };
  const events = of.events
    .filter(({ t }) => t <= sample.t)
    .map((event, index) => eventObject(event, { index, name, namespace }));
  return { pod: pod as unknown as KubernetesObject, events };
}

function statusesOf(sample: RecordedSample): NonNullable<RecordedSample["containerStatuses"]> {
  const { initContainerStatuses = [], containerStatuses = [], ephemeralContainerStatuses = [] } = sample;
  return [...initContainerStatuses, ...containerStatuses, ...ephemeralContainerStatuses];
}

function isFailing(sample: RecordedSample): boolean {
  return statusesOf(sample).some(({ state: { waiting } }) => {
    const { reason = "", message = "" } = waiting ?? {};
    return (
      /^(ErrImage|ImagePull|ImageInspect|InvalidImage)/.test(reason) || (message !== "" && reason === message)
    );
  });
}

function eventObject(
  { t, type, reason, message, count, fieldPath }: RecordedEvent,
  about: { readonly index: number; readonly name: string; readonly namespace: string },
): JsonObject {
  const { index, name, namespace } = about;
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: `${name}.${index}`, namespace },
    involvedObject: { kind: "Pod", name, namespace, ...(typeof fieldPath === "string" && { fieldPath }) },
    type,
    reason,
    message,
    count,
    lastTimestamp: new Date(START + t * 1000).toISOString().replace(/\.\d+Z$/, "Z"),
  };
}

/** Every failing image of the stored Pod has a cause, and one that asking finds, too. */
export function compareLive(
  asked: PodTrace,
  live: PodTrace | undefined,
): { readonly differences: readonly string[]; readonly offline: number } {
  const differences: string[] = [];
  let offline = 0;
  for (const image of live?.images ?? []) {
    const { observed, slot } = image;
    if (observed?.state !== "waiting" || observed.reason === undefined) continue;
    if (/^(ContainerCreating|PodInitializing|CrashLoopBackOff)$/.test(observed.reason)) continue;
    offline++;
    const there = failuresOf(image);
    const twin = asked.images.find((one) => one.slot.kind === slot.kind && one.slot.name === slot.name);
    const here = twin === undefined ? [] : failuresOf(twin);
    if (there.length === 0)
      differences.push(`${slot.name}: nothing follows from ${JSON.stringify(observed.message)}`);
    else if (twin !== undefined && here.join() !== there.join()) {
      differences.push(`${slot.name}: asking finds ${here.join()}, the stored Pod tells of ${there.join()}`);
    }
  }
  return { differences, offline };
}

function failuresOf({ causes }: ImageTrace): readonly CauseCode[] {
  const codes = causes.filter(({ severity }) => severity === "failure").map(({ code }) => code);
  // Without running it, a provider that had nothing can't be told from one that failed.
  return codes.map((code) => (code === "PROVIDER_EMPTY" ? "PROVIDER_FAILED" : code));
}
