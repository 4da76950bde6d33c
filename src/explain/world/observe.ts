/** What the cluster says of a container: its status, its events, and when the kubelet looks at it next. */
import { BackOff } from "../../images/index.ts";
import { goQuote } from "../../internal/go/quote.ts";
import type { JsonObject, KubernetesObject } from "../../kubernetes/index.ts";
import { numberAt, objectAt, objectsAt, textAt } from "../json.ts";
import { traceName } from "../replay/trace-name.ts";
import type { EventTrace, ObservedTrace, OutcomeTrace, SlotTrace } from "../trace.ts";

export interface ObserveOptions {
  readonly pod: KubernetesObject;
  readonly slot: SlotTrace;
  readonly image: string;
  readonly events: readonly JsonObject[];
  readonly outcome: OutcomeTrace;
  /** Whether the registry keeps to itself if it has all of the layers. */
  readonly untold: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

const STATUS_LISTS = {
  container: "containerStatuses",
  init: "initContainerStatuses",
  ephemeral: "ephemeralContainerStatuses",
} as const;

const IMAGE_REASONS: ReadonlySet<string> = new Set([
  "ErrImagePull",
  "ImagePullBackOff",
  "ErrImageNeverPull",
  "InvalidImageName",
  "ImageInspectError",
  "RegistryUnavailable",
  "SignatureValidationFailed",
]);

/** About pulling; other events of a Pod tell other stories. */
const EVENT_REASONS: ReadonlySet<string> = new Set([
  "Pulling",
  "Pulled",
  "Failed",
  "BackOff",
  "InspectFailed",
  "ErrImageNeverPull",
  "FailedToRetrieveImagePullSecret",
]);

/** Undefined for a Pod that no node has said anything of. */
export function observe(given: ObserveOptions): ObservedTrace | undefined {
  const options = { ...given, events: given.events.map(asCoreEvent) };
  const { slot, outcome, untold } = options;
  const state = slot.kind === "volume" ? volumeState(options) : containerState(options, slot.kind);
  const events = eventsOf(options);
  if (state === undefined && events.length === 0) return undefined;
  const waiting = objectAt(state, "waiting");
  const [reason, message] = [textAt(waiting, "reason"), textAt(waiting, "message")];
  const kind = stateOf(state);
  const failing = kind === "waiting" && isImageTrouble(reason, message);
  const { agrees, verdict } = compare({ kind, reason, failing, outcome, untold });
  const backOff = failing ? backOffOf(failuresOf(options), options.now) : undefined;
  return {
    state: kind,
    ...(reason !== "" && { reason }),
    ...(message !== "" && { message }),
    events,
    ...(backOff !== undefined && { backOff }),
    agrees,
    verdict,
  };
}

export function isImageReason(reason: string | undefined): boolean {
  return reason !== undefined && IMAGE_REASONS.has(reason);
}

/** As the group events.k8s.io has them, as those of the core group. */
function asCoreEvent(event: JsonObject): JsonObject {
  if (event["regarding"] === undefined) return event;
  const { regarding, note, deprecatedCount, deprecatedFirstTimestamp, deprecatedLastTimestamp, ...rest } =
    event;
  return {
    ...rest,
    involvedObject: regarding,
    ...(note !== undefined && { message: note }),
    ...(deprecatedCount !== undefined && { count: deprecatedCount }),
    ...(deprecatedFirstTimestamp !== undefined && { firstTimestamp: deprecatedFirstTimestamp }),
    ...(deprecatedLastTimestamp !== undefined && { lastTimestamp: deprecatedLastTimestamp }),
  };
}

/** A pull secret that can't be read becomes the reason, as it is. */
function isImageTrouble(reason: string, message: string): boolean {
  return IMAGE_REASONS.has(reason) || (message !== "" && message === reason);
}

/** A container that waits for an image volume has that one's failure in its status. */
function containerState(
  { pod, slot, image }: ObserveOptions,
  kind: keyof typeof STATUS_LISTS,
): JsonObject | undefined {
  const status = objectsAt(pod, "status", STATUS_LISTS[kind]).find(
    (one) => textAt(one, "name") === slot.name,
  );
  const state = status && objectAt(status, "state");
  const volume = volumeImages(pod).find((other) => other !== image && isAbout(state, other));
  if (volume === undefined || isAbout(state, image)) return state;
  return {
    waiting: { reason: "ContainerCreating", message: `it waits for image volume ${goQuote(volume)}` },
  };
}

/** That of a container that was kept from starting by it. */
function volumeState({ pod, slot, image }: ObserveOptions): JsonObject | undefined {
  const mounting = new Set(
    ["initContainers", "containers", "ephemeralContainers"]
      .flatMap((list) => objectsAt(pod, "spec", list))
      .filter((one) => objectsAt(one, "volumeMounts").some((mount) => textAt(mount, "name") === slot.name))
      .map((one) => textAt(one, "name")),
  );
  return Object.values(STATUS_LISTS)
    .flatMap((list) => objectsAt(pod, "status", list))
    .filter((status) => mounting.has(textAt(status, "name")))
    .map((status) => objectAt(status, "state"))
    .find((state) => isAbout(state, image));
}

function volumeImages(pod: KubernetesObject): readonly string[] {
  return objectsAt(pod, "spec", "volumes")
    .map((volume) => textAt(volume, "image", "reference"))
    .filter((reference) => reference !== "");
}

/** Kubelets name an image as it is written, runtimes in full. */
function isAbout(state: JsonObject | undefined, image: string): boolean {
  const message = textAt(state, "waiting", "message");
  const { normalised = image } = traceName(image).trace;
  return [image, normalised].some((name) => message.includes(goQuote(name)));
}

function stateOf(state: JsonObject | undefined): ObservedTrace["state"] {
  for (const kind of ["waiting", "running", "terminated"] as const) {
    if (state?.[kind] !== undefined) return kind;
  }
  return "none";
}

/** Those of this container's image, the latest last. */
function eventsOf({ events, slot, image }: ObserveOptions): readonly EventTrace[] {
  const place = slot.field.replace(/\.image(\.reference)?$/, "");
  const list = place.replace(/\[\d+\]$/, "");
  const paths = new Set([place, `${list}{${slot.name}}`]);
  return events
    .filter((event) => {
      if (!EVENT_REASONS.has(textAt(event, "reason"))) return false;
      const path = textAt(event, "involvedObject", "fieldPath");
      return path === ""
        ? textAt(event, "message").includes(image) || isAboutSecrets(event)
        : paths.has(path);
    })
    .map(traceEvent)
    .toSorted((a, b) => (a.last ?? "").localeCompare(b.last ?? ""));
}

function traceEvent(event: JsonObject): EventTrace {
  const last = timeOf(event);
  return {
    type: textAt(event, "type"),
    reason: textAt(event, "reason"),
    message: textAt(event, "message"),
    count: numberAt(event, "count") ?? numberAt(objectAt(event, "series"), "count") ?? 1,
    ...(last !== "" && { last }),
  };
}

function isAboutSecrets(event: JsonObject): boolean {
  return textAt(event, "reason") === "FailedToRetrieveImagePullSecret";
}

function timeOf(event: JsonObject): string {
  return (
    textAt(event, "series", "lastObservedTime") ||
    textAt(event, "lastTimestamp") ||
    textAt(event, "eventTime") ||
    textAt(event, "firstTimestamp")
  );
}

function compare(facts: {
  readonly kind: ObservedTrace["state"];
  readonly reason: string;
  readonly failing: boolean;
  readonly outcome: OutcomeTrace;
  readonly untold: boolean;
}): { readonly agrees: boolean | undefined; readonly verdict: string } {
  const { kind, reason, failing, outcome, untold } = facts;
  if (outcome.state === "unasked" || outcome.state === "unknown") {
    const here = outcome.state === "unasked" ? "nobody was asked here" : "from here it can't be told";
    return { agrees: undefined, verdict: `the cluster says ${reason || kind}; ${here}` };
  }
  const fails = outcome.state === "failed";
  if (kind === "none")
    return { agrees: undefined, verdict: "the cluster says nothing of this container yet" };
  if (kind !== "waiting") {
    return fails
      ? {
          agrees: false,
          verdict: `the container ${kind === "running" ? "runs" : "ran"}, though its image wouldn't come now`,
        }
      : { agrees: true, verdict: `the container ${kind === "running" ? "runs" : "ran"}` };
  }
  if (!failing)
    return {
      agrees: undefined,
      verdict: `the container waits for something else: ${reason || "no reason given"}`,
    };
  if (untold && outcome.state === "pullable") {
    const verdict = `the cluster says ${reason}, and the registry doesn't tell from here whether it has the layers`;
    return { agrees: undefined, verdict };
  }
  if (!fails)
    return { agrees: false, verdict: `the cluster says ${reason}, and asked from here the image would come` };
  const same = outcome.reason === reason || reason === "ImagePullBackOff";
  return same
    ? { agrees: true, verdict: `the cluster says ${reason}, too` }
    : {
        agrees: false,
        verdict: `the cluster says ${reason}, and asked from here it is ${outcome.reason ?? "failing"}`,
      };
}

/** Failed pulls of this image, for whichever container of the Pod: they share one back-off. */
function failuresOf({ events, image }: ObserveOptions): readonly EventTrace[] {
  const text = `Failed to pull image ${goQuote(image)}: `;
  return events
    .filter((event) => textAt(event, "reason") === "Failed" && textAt(event, "message").startsWith(text))
    .map(traceEvent);
}

/** Milliseconds; what a kubelet's rounds and a pull that fails slowly take. */
const A_TRY = 120_000;

/** The kubelet's own back-off, over as many failures as the events tell of. */
function backOffOf(attempts: readonly EventTrace[], now: number): ObservedTrace["backOff"] {
  const failures = attempts.reduce((sum, { count }) => sum + count, 0);
  if (failures === 0) return undefined;
  let at = 0;
  const backOff = new BackOff({ now: () => at });
  for (let failure = 0; failure < Math.min(failures, 20); failure++) {
    backOff.next("pod", at);
    at += 1;
  }
  const delay = backOff.get("pod");
  const last = Math.max(
    ...attempts.map((event) => Date.parse(event.last ?? "")).filter((time) => !Number.isNaN(time)),
  );
  if (!Number.isFinite(last)) return { failures, delaySeconds: delay / 1000 };
  // Kubelets send no more than a few events of a kind: those after them were never told.
  if (now - (last + delay) > A_TRY) {
    // It grows to its longest and then no more, however long ago that was.
    for (let due = last + delay, before = 0; due <= now && before < backOff.get("pod");) {
      before = backOff.get("pod");
      backOff.next("pod", at++);
      due += backOff.get("pod");
    }
    return { failures, delaySeconds: backOff.get("pod") / 1000 };
  }
  const next = Math.max(last + delay, now);
  return {
    failures,
    delaySeconds: delay / 1000,
    nextAttempt: new Date(next).toISOString().replace(/\.\d+Z$/, "Z"),
  };
}
