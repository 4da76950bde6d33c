/** Where a replay differs from its recording. */
import { isDeepStrictEqual } from "node:util";

import type { ContainerStatus, PodStatus } from "../../src/node/index.ts";
import type { ClusterPod } from "./cluster.ts";
import { isCrashLoop, isOurs, type Look } from "./looks.ts";
import type {
  RecordedCall,
  RecordedEvent,
  RecordedNodeImage,
  RecordedRequest,
  RecordedSample,
  RecordedState,
  RecordedStatus,
  Recording,
  RecordFile,
} from "./recording.ts";
import { compareRequests } from "./compare-requests.ts";
import { relevantImages, relevantRecords } from "./relevant.ts";
import { factsOfRecordedText } from "./runtime-text.ts";
import type { NodeEvent, NodeSample } from "./virtual-node.ts";

export interface Replayed {
  readonly events: readonly NodeEvent[];
  readonly samples: readonly NodeSample[];
  readonly requests: readonly RecordedRequest[];
  readonly calls: readonly RecordedCall[];
  readonly images: readonly RecordedNodeImage[];
  readonly records: Recording["imageManagerRecords"];
  readonly recordsDuring: Readonly<Record<string, readonly RecordFile[]>>;
  /** What our runtime said of failed pulls, and the facts in it. */
  readonly runtimeTexts: ReadonlyMap<string, string>;
}

/** Seconds by which the durations of slow pulls may differ. */
const SLACK = 2;

export function compare(recording: Recording, replayed: Replayed, looks: readonly Look[]): readonly string[] {
  return [
    ...compareEvents(recording, replayed, looks),
    ...compareSamples(recording, replayed),
    ...compareRequests(recording, replayed.requests),
    ...compareCalls(recording.credentialProviderCalls ?? [], replayed.calls),
    ...compareImages(relevantImages(recording), replayed.images),
    ...compareRecords(recording, replayed),
  ];
}

/** Look by look: what was said of a Pod at each, in order. */
function compareEvents(
  recording: Recording,
  { events, runtimeTexts }: Replayed,
  looks: readonly Look[],
): readonly string[] {
  const differences: string[] = [];
  const pods = new Set([...looks.map(({ pod }) => pod), ...events.map(({ pod }) => nameIn(recording, pod))]);
  for (const pod of pods) {
    const ofPod = looks.filter((look) => look.pod === pod);
    const told = events.filter((event) => nameIn(recording, event.pod) === pod);
    for (const [index, look] of ofPod.entries()) {
      const from = index === 0 ? Number.NEGATIVE_INFINITY : look.t - 0.0005;
      const to = (ofPod[index + 1]?.t ?? Number.POSITIVE_INFINITY) - 0.0005;
      const ours = told.filter(({ t }) => t >= from && t < to);
      const why = compareLook(look, ours, runtimeTexts);
      if (why !== undefined) differences.push(`event at ${look.t.toFixed(2)} s of ${pod}: ${why}`);
    }
    if (ofPod.length === 0 && told.length > 0) {
      differences.push(`event of ${pod}: said ${told[0]?.message}, and nothing was recorded`);
    }
  }
  return differences;
}

function compareLook(
  look: Look,
  ours: readonly NodeEvent[],
  runtimeTexts: ReadonlyMap<string, string>,
): string | undefined {
  if (look.filledIn === "with attempt") return undefined;
  if (look.filledIn === "without attempt") {
    const attempt = ours.find(({ reason }) => reason === "Pulling");
    return attempt === undefined
      ? undefined
      : `an attempt, ${quote(attempt.message)}, which was not recorded`;
  }
  const expected = look.events.filter(isOurs);
  const told = ours.filter(({ held }) => !held);
  for (const [index, event] of expected.entries()) {
    const other = told[index];
    if (other === undefined) return `not said: ${describe(event)}`;
    // Where looks are filled in, how often something was said isn't known for sure.
    if (!sameEvent(event, other, runtimeTexts, !look.complete)) {
      return `${describe({ ...other, message: ofOurs(other.message, runtimeTexts) })} and not ${describe({ ...event, message: ofEvent(event) })}`;
    }
  }
  const more = told[expected.length];
  return more === undefined ? undefined : `not recorded: ${describe(more)}`;
}

function sameEvent(
  event: RecordedEvent,
  other: NodeEvent,
  runtimeTexts: ReadonlyMap<string, string>,
  thinned: boolean,
): boolean {
  if (event.type !== other.type || event.reason !== other.reason) return false;
  if ((event.fieldPath ?? "") !== (other.fieldPath ?? "")) return false;
  if (isCrashLoop(event)) return isCrashLoop({ ...event, message: other.message });
  if (timeless(ofEvent(event)) !== timeless(ofOurs(other.message, runtimeTexts))) return false;
  const [recorded, measured] = [durations(event.message), durations(other.message)];
  if (recorded.some((seconds, index) => Math.abs(seconds - (measured[index] ?? 0)) > SLACK)) return false;
  // A message with a duration is a new one each time.
  return thinned || recorded.length > 0 || event.count === other.count;
}

/** Statuses of each Pod in the order they changed; two of ours may have been one sample. */
function compareSamples(recording: Recording, { samples, runtimeTexts }: Replayed): readonly string[] {
  const differences: string[] = [];
  for (const pod of new Set(recording.samples.map((sample) => sample.pod))) {
    const expected = unrepeated(
      recording.samples
        .filter((sample) => sample.pod === pod && sample.deleting !== true && sample.deleted !== true)
        // Before its node has seen it, a Pod has no statuses.
        .filter(({ containerStatuses = [] }) => containerStatuses.length > 0)
        .map((sample) => showSample(sample, ofState)),
    );
    const ours = unrepeated(
      samples
        .filter((sample) => nameIn(recording, sample.pod) === pod)
        .map(({ status }) => showSample(toSample(status), (_, text) => ofOurs(text, runtimeTexts))),
    );
    let at = 0;
    for (const statuses of expected) {
      const found = ours.findIndex((other, index) => index >= at && isDeepStrictEqual(other, statuses));
      if (found === -1) {
        differences.push(
          `status of ${pod}: ${statuses.join(" | ")} never came after ${ours[at - 1]?.join(" | ")}; instead ${ours
            .slice(at, at + 2)
            .map((list) => list.join(" | "))
            .join(" then ")}`,
        );
        break;
      }
      if (found > at + 1) {
        differences.push(
          `status of ${pod}: ${ours[at]?.join(" | ")} was not recorded before ${statuses.join(" | ")}`,
        );
      }
      at = found + 1;
    }
    if (differences.length === 0 && ours.length > at + 1) {
      differences.push(`status of ${pod}: ${ours[at]?.join(" | ")} was not recorded`);
    }
  }
  return differences;
}

type Shown = Pick<
  RecordedSample,
  "phase" | "conditions" | "initContainerStatuses" | "containerStatuses" | "ephemeralContainerStatuses"
>;

type Words = (reason: string, message: string) => string;

/** A status of ours in the recordings' shape. */
function toSample(status: PodStatus): Shown {
  const { phase, conditions, initContainerStatuses, containerStatuses, ephemeralContainerStatuses } = status;
  const recorded = (list: readonly ContainerStatus[] = []): readonly RecordedStatus[] =>
    list.map((one) => ({ ...one, started: one.started ?? null }) as RecordedStatus);
  return {
    phase,
    conditions: Object.fromEntries(
      conditions.map(({ type, status: verdict, reason }) => [
        type,
        reason === undefined ? verdict : `${verdict}/${reason}`,
      ]),
    ),
    initContainerStatuses: recorded(initContainerStatuses),
    containerStatuses: recorded(containerStatuses),
    ephemeralContainerStatuses: recorded(ephemeralContainerStatuses),
  };
}

function showSample(sample: Shown, words: Words): readonly string[] {
  const lists = [sample.initContainerStatuses, sample.containerStatuses, sample.ephemeralContainerStatuses];
  const conditions = Object.entries(sample.conditions ?? {}).map(([type, verdict]) => `${type}=${verdict}`);
  return [
    `${sample.phase} ${conditions.join(" ")}`,
    ...lists.flatMap((list = []) => list.map((status) => showStatus(status, words))),
  ];
}

function showStatus(status: RecordedStatus, words: Words): string {
  const { name, image, imageID, ready, started, restartCount, state, lastState } = status;
  const last =
    lastState === undefined || Object.keys(lastState).length === 0
      ? ""
      : ` after ${showState(lastState, words)}`;
  const flags = `${ready ? "ready" : "unready"} ${started === null ? "" : started ? "started" : "unstarted"}`;
  return `${name} #${restartCount} ${flags}: ${showState(state, words)} ${image} ${imageID}${last}`.trimEnd();
}

function showState({ waiting, terminated }: RecordedState, words: Words): string {
  if (terminated !== undefined) return `terminated ${terminated.reason} ${terminated.exitCode}`;
  if (waiting === undefined) return "running";
  const { reason = "", message = "" } = waiting;
  // How long a container that crashes is left alone has nothing to do with images.
  return reason === "CrashLoopBackOff" ? reason : `${reason} ${words(reason, message)}`.trimEnd();
}

function compareCalls(recorded: readonly RecordedCall[], ours: readonly RecordedCall[]): readonly string[] {
  for (let index = 0; index < Math.max(recorded.length, ours.length); index++) {
    const [one, other] = [recorded[index], ours[index]];
    const [expected, asked] = [one, other].map((call) =>
      call === undefined
        ? "nothing"
        : JSON.stringify([call.provider, call.argv, call.env, sorted(call.stdin)]),
    );
    if (expected !== asked || Math.abs((one?.t ?? 0) - (other?.t ?? 0)) > SLACK) {
      return [`provider call ${index}: ${asked} at ${other?.t} s and not ${expected} at ${one?.t} s`];
    }
  }
  return [];
}

function compareImages(
  recorded: readonly RecordedNodeImage[],
  ours: readonly RecordedNodeImage[],
): readonly string[] {
  const show = (images: readonly RecordedNodeImage[]): readonly string[] =>
    images
      .map(({ id, repoTags, repoDigests, size }) =>
        JSON.stringify([id, repoTags.toSorted(), repoDigests.toSorted(), Number(size)]),
      )
      .toSorted();
  return compareLists("image on the node", show(recorded), show(ours));
}

function compareRecords(recording: Recording, replayed: Replayed): readonly string[] {
  const differences = [
    ...compareLists(
      "pull record",
      showRecords(relevantRecords(recording)),
      showRecords(replayed.records.pulled),
    ),
    ...compareLists(
      "pull intent",
      showRecords(recording.imageManagerRecords.pulling),
      showRecords(replayed.records.pulling),
    ),
  ];
  for (const [when, files] of Object.entries(recording.imageManagerRecordsDuring ?? {})) {
    const ours = replayed.recordsDuring[when];
    if (ours === undefined) continue;
    differences.push(...compareLists(`pull intent, ${when}`, showRecords(files), showRecords(ours)));
  }
  return differences;
}

/** Without what differs from run to run. */
function showRecords(files: readonly RecordFile[]): readonly string[] {
  return files
    .map(({ file, content }) => {
      const { lastUpdatedTime: _, ...rest } = content;
      return `${file} ${JSON.stringify(sorted(rest)).replaceAll(/"uid":"[^"]*"/g, '"uid":"UID"')}`;
    })
    .toSorted();
}

function compareLists(what: string, expected: readonly string[], ours: readonly string[]): readonly string[] {
  const missing = expected.filter((text) => !ours.includes(text));
  const more = ours.filter((text) => !expected.includes(text));
  return [
    ...missing.map((text) => `${what}: missing ${text}`),
    ...more.map((text) => `${what}: not recorded ${text}`),
  ];
}

/** A message of ours with facts in place of our runtime's words. */
function ofOurs(message: string, runtimeTexts: ReadonlyMap<string, string>): string {
  const longestFirst = [...runtimeTexts].toSorted(([a], [b]) => b.length - a.length);
  const found = longestFirst.find(([text]) => message.endsWith(text));
  return found === undefined ? message : message.slice(0, -found[0].length) + found[1];
}

function ofEvent({ message }: Pick<RecordedEvent, "message">): string {
  return withFacts(/^Failed to pull image "[^"]*": /, message);
}

function ofState(reason: string, message: string): string {
  const before = reason === "ErrImagePull" ? /^/ : /^Back-off pulling image "[^"]*": ErrImagePull: /;
  return withFacts(before, message);
}

/** A recorded message with facts in place of containerd's words after `before`. */
function withFacts(before: RegExp, message: string): string {
  const prefix = before.exec(message)?.[0];
  if (prefix === undefined) return message;
  const text = message.slice(prefix.length);
  return prefix + (factsOfRecordedText(text) ?? text);
}

const PULLED = / in (\S+) \((\S+) including waiting\)/;

function timeless(message: string): string {
  return message.replace(PULLED, " in … (… including waiting)");
}

function durations(message: string): readonly number[] {
  const [, ...found] = PULLED.exec(message) ?? [];
  return found.map((text) => {
    const [, minutes = "0", value = "0", unit] = /^(?:(\d+)m)?([\d.]+)(ms|s|µs)$/.exec(text) ?? [];
    return Number(minutes) * 60 + Number(value) / (unit === "s" ? 1 : unit === "ms" ? 1000 : 1e6);
  });
}

/** How the recording names a Pod: with its namespace where there are several. */
export function nameIn(recording: Recording, { namespace, name }: ClusterPod): string {
  const long = `${namespace}/${name}`;
  return recording.samples.some(({ pod }) => pod === long) ? long : name;
}

function unrepeated<T>(list: readonly T[]): readonly T[] {
  return list.filter((item, index) => index === 0 || !isDeepStrictEqual(item, list[index - 1]));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, member]) => [key, sorted(member)]));
}

function describe({
  reason,
  message,
  fieldPath,
  count,
}: Pick<RecordedEvent, "reason" | "message" | "count"> & {
  readonly fieldPath?: string | null | undefined;
}): string {
  return `${reason} ${quote(message)} (${count}) ${fieldPath ?? ""}`.trimEnd();
}

function quote(text: string): string {
  return JSON.stringify(text);
}
