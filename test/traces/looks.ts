/**
 * When a kubelet looked at its Pods. Looks come every 10 to 15 seconds at random, and at once when something happens,
 * so their moments are taken from the recording; what is decided at each of them isn't.
 *
 * Every container is dealt with once in a look, in a fixed order. So a new look begins with the first event that goes
 * back in that order. From the 25th event of a Pod and type on its events are thinned: then requests to registries show attempts, and
 * looks that left no trace are filled in at the longest distance there can be.
 */
import { containersOf } from "./cluster.ts";
import type { RecordedEvent, RecordedStep, Recording, StoredObject } from "./recording.ts";

export interface Look {
  /** Seconds. */
  readonly t: number;
  /** As the recording names it. */
  readonly pod: string;
  /** What was said at this look. */
  readonly events: readonly RecordedEvent[];
  /** Whether nothing was held back by the recorder's spam filter. */
  readonly complete: boolean;
  /** No trace of it: just a moment at which there must have been one, with or without an attempt to pull. */
  readonly filledIn: false | "without attempt" | "with attempt";
  /** Containers that were left alone since they had crashed too often. */
  readonly crashing: ReadonlySet<string>;
}

/** Events of one Pod before the recorder holds any back: so many of either type. */
const BURST = 25;
/** Seconds between two looks at most. */
const LONGEST = 15;
/** … and at least. */
const SHORTEST = 10;
/** Seconds within which one look without a slow pull is over. */
const BRIEF = 1.5;

/** Seconds within which things happen at once. */
const SAME_MOMENT = 0.1;

interface Traced extends Look {
  /** When it was first seen at a registry. */
  readonly request?: number | undefined;
}

interface OpenLook {
  events: RecordedEvent[];
  rank: number;
  complete: boolean;
}

export function deriveLooks(recording: Recording): readonly Look[] {
  const names = new Set(recording.events.filter(isOurs).map(({ pod }) => pod));
  const looks = [...names].flatMap((pod) => looksAt(pod, recording));
  return putBehind(looks).toSorted((a, b) => a.t - b.t);
}

/** A pull that didn't come to its request at once had to wait behind those that did. */
function putBehind(looks: readonly Traced[]): readonly Look[] {
  const prompt = looks.filter(({ request }) => request !== undefined);
  const late = looks.filter(({ request }) => request === undefined);
  const behind = late.map((look): Look => {
    const before = prompt.filter(
      ({ pod, t }) => pod !== look.pod && look.events.some(isPulling) && Math.abs(t - look.t) < SAME_MOMENT,
    );
    return { ...look, t: Math.max(look.t, ...before.map(({ t }) => t)) };
  });
  return [...prompt, ...behind];
}

/** Events of the kubelet, and none about containers being killed, which is no affair of images. */
export function isOurs({ component, reason }: RecordedEvent): boolean {
  return component === "kubelet" && reason !== "Killing";
}

export function isCrashLoop({ reason, message }: RecordedEvent): boolean {
  return reason === "BackOff" && message.startsWith("Back-off restarting failed container ");
}

/** The container an event is about. */
export function containerOf({ fieldPath }: Pick<RecordedEvent, "fieldPath">): string {
  return /\{(.*)\}$/.exec(fieldPath ?? "")?.[1] ?? "";
}

function looksAt(pod: string, recording: Recording): readonly Traced[] {
  const steps = recording.steps.filter((step) => concerns(step, pod));
  const groups = groupEvents(pod, recording, steps);
  const looks = groups.map(({ events, complete }): Traced => {
    const request = requestOf(events, recording);
    return {
      // A watch hears of an event a little after it happened; a request is seen when it comes.
      t: request ?? (events[0]?.t ?? 0) - 0.01,
      request,
      pod,
      events,
      complete,
      filledIn: false,
      crashing: new Set(events.filter(isCrashLoop).map(containerOf)),
    };
  });
  if (looks.every(({ complete }) => complete)) return looks;
  const context = { recording, steps };
  const asked = [...looks, ...looksOfRequests(pod, looks, context)];
  return fillIn([...asked, ...looksOfSamples(pod, asked, context)], pod, recording);
}

function groupEvents(pod: string, recording: Recording, steps: readonly RecordedStep[]): readonly OpenLook[] {
  const groups: OpenLook[] = [];
  const births = recording.steps.filter(
    (step) => (step.action === "create" && steps.includes(step)) || /kubelet (re)?started/.test(step.action),
  );
  let current: OpenLook | undefined;
  let last: RecordedEvent | undefined;
  let since = Number.NEGATIVE_INFINITY;
  let count = 0;
  for (const event of recording.events) {
    if (event.pod !== pod || !isOurs(event)) continue;
    const birth = births.findLast(({ t }) => t <= event.t)?.t ?? 0;
    if (birth > since) {
      since = birth;
      count = 0;
      current = undefined;
    }
    count++;
    const spec = steps.findLast(({ t, stored }) => t <= event.t && stored !== undefined)?.stored ?? {};
    const rank = rankOf(event, spec);
    const alone = last !== undefined && endsLook(last, spec);
    if (current === undefined || last === undefined || beginsLook(event, { last, rank, current, alone })) {
      current = { events: [], rank, complete: true };
      groups.push(current);
    }
    current.events.push(event);
    current.rank = rank;
    current.complete &&= count <= BURST;
    last = event;
  }
  return groups;
}

function beginsLook(
  event: RecordedEvent,
  before: {
    readonly last: RecordedEvent;
    readonly rank: number;
    readonly current: OpenLook;
    readonly alone: boolean;
  },
): boolean {
  const { last, rank, current, alone } = before;
  if (rank < current.rank || (alone && rank > current.rank)) return true;
  const waited = last.reason === "Pulling" && rank === current.rank;
  if (event.t - last.t > BRIEF && !(waited && !begins(event))) return true;
  return (
    rank === current.rank && (begins(event) || ends(last)) && !(last.reason === "BackOff" && !begins(event))
  );
}

/** Whether nothing comes after this container in a look: init containers go one by one. */
function endsLook(last: RecordedEvent, spec: StoredObject): boolean {
  const init = (spec.initContainers ?? []).find(
    ({ name }) => last.fieldPath === `spec.initContainers{${name}}`,
  );
  return init !== undefined && init.restartPolicy !== "Always";
}

/** The first word about a container. */
function begins({ reason, message }: RecordedEvent): boolean {
  if (reason === "Pulled") return message.startsWith("Container image ");
  return [
    "Pulling",
    "BackOff",
    "ErrImageNeverPull",
    "InspectFailed",
    "FailedToRetrieveImagePullSecret",
  ].includes(reason);
}

/** The last word about a container. */
function ends(event: RecordedEvent): boolean {
  return event.reason === "Started" || isCrashLoop(event) || event.message.startsWith("Error: ");
}

function rankOf(event: RecordedEvent, spec: StoredObject): number {
  const { fieldPath, reason, message } = event;
  if (reason === "FailedToRetrieveImagePullSecret") return -1;
  const volumes = spec.imageVolumes ?? [];
  if (fieldPath === undefined || fieldPath === null || fieldPath === "") {
    return volumes.findIndex(({ image }) => message.includes(`"${image.reference}"`));
  }
  const containers = containersOf(spec);
  const index = containers.findIndex(
    ({ kind, container }) => fieldPath === `spec.${kind}{${container.name}}`,
  );
  return volumes.length + index;
}

/** The first request of the first pull of a look, if that came at once. */
function requestOf(events: readonly RecordedEvent[], recording: Recording): number | undefined {
  const [first] = events;
  const pulling = events.find(isPulling);
  if (first === undefined || pulling === undefined || pulling.t - first.t > 2 * SAME_MOMENT) return undefined;
  return recording.registryRequests.find(
    ({ t, path }) =>
      Math.abs(t - pulling.t) < SAME_MOMENT && pulling.message.includes(`/${repositoryOf(path)}`),
  )?.t;
}

interface Context {
  readonly recording: Recording;
  readonly steps: readonly RecordedStep[];
}

/** Attempts whose events were held back. */
function looksOfRequests(pod: string, looks: readonly Look[], context: Context): readonly Look[] {
  const { recording, steps } = context;
  const spec = steps.findLast(({ stored }) => stored !== undefined)?.stored ?? {};
  const images = containersOf(spec).map(({ container }) => container.image);
  const times = recording.registryRequests
    .filter(({ path }) => images.some((image) => image.includes(`/${repositoryOf(path)}`)))
    .map(({ t }) => t);
  return unseen(pod, looks, times);
}

/** Looks that showed a change of which no event came through. */
function looksOfSamples(pod: string, looks: readonly Look[], { recording }: Context): readonly Look[] {
  const samples = recording.samples.filter((sample) => sample.pod === pod && sample.deleted !== true);
  const times = samples.map(({ t }) => t - 0.01);
  return unseen(pod, looks, times);
}

function unseen(pod: string, looks: readonly Look[], times: readonly number[]): readonly Look[] {
  const thinned = looks.find(({ complete }) => !complete)?.t ?? Number.POSITIVE_INFINITY;
  const found: number[] = [];
  for (const t of times) {
    const known = [...looks.map((look) => look.t), ...found];
    if (t >= thinned && !known.some((other) => Math.abs(other - t) < BRIEF)) found.push(t);
  }
  return found.map((t) => ({ t, pod, events: [], complete: false, filledIn: false, crashing: new Set() }));
}

/**
 * The looks of which there is no trace at all. One before a sample that shows a failed attempt was that attempt, where
 * no registry saw it.
 */
function fillIn(looks: readonly Look[], pod: string, recording: Recording): readonly Look[] {
  const sorted = looks.toSorted((a, b) => a.t - b.t);
  return sorted.flatMap((look, index) => {
    const before = sorted[index - 1];
    if (before === undefined || look.complete) return [look];
    const blank = { pod, events: [], complete: false, crashing: new Set<string>() };
    const between: Look[] = [];
    let t = look.t - LONGEST;
    if (look.t - before.t > LONGEST + BRIEF && showsAttempt(look.t, pod, recording)) {
      // It was the first look after the back-off had run out, wherever in this time that was.
      for (let ago = LONGEST; ago >= SHORTEST; ago--) {
        between.push({ ...blank, t: look.t - ago, filledIn: "with attempt" });
      }
      t = look.t - 2 * LONGEST;
    }
    for (; t > before.t + LONGEST / 2; t -= LONGEST) {
      between.unshift({ ...blank, t, filledIn: "without attempt" });
    }
    return [...between, look];
  });
}

function showsAttempt(at: number, pod: string, { samples }: Recording): boolean {
  const sample = samples.find((one) => one.pod === pod && Math.abs(one.t - at) < SAME_MOMENT);
  return sample?.containerStatuses?.some(({ state }) => state.waiting?.reason === "ErrImagePull") === true;
}

function isPulling({ reason }: RecordedEvent): boolean {
  return reason === "Pulling";
}

function concerns({ kind, object, name, namespace }: RecordedStep, pod: string): boolean {
  if ((kind ?? object?.kind) !== "Pod") return false;
  const own = (name ?? object?.metadata.name ?? "").split("/")[0] ?? "";
  return pod === own || pod === `${namespace}/${own}`;
}

function repositoryOf(path: string): string {
  return /^\/v2\/(.+)\/(?:manifests|blobs)\//.exec(path)?.[1] ?? path;
}
