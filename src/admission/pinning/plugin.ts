/**
 * Pins images to digests: what was admitted is what every node runs, however tags move.
 *
 * ```text
 * nginx:1.27   ─►  nginx:1.27@sha256:…        the tag stays, for people
 * nginx        ─►  nginx:latest@sha256:…
 * nginx@sha256:…                              stays
 * ```
 *
 * An image is asked for when its text is new to the object. Who writes the same text again, as controllers do, gets the
 * pin of before: moved tags reach a workload only by a change of its text.
 */
import type { JsonObject, KubernetesObject } from "../../kubernetes/index.ts";
import { formatReference } from "../../reference/index.ts";
import type {
  AdmissionDecision,
  AdmissionOptions,
  AdmissionPlugin,
  AdmissionReason,
  AdmissionRequest,
} from "../admission.ts";
import { forbiddenError, forbiddenErrors, grant, grantWith, refuse } from "../decide.ts";
import { objectsOf, textOf } from "../json.ts";
import { type ImageSlot, listImages, mapImageOwners } from "../pod-images.ts";
import { isPodResource, podSpecPlace, type PodSpecPlace, readPodSpec, withPodSpec } from "../pod-spec.ts";
import { explainFailure, warnLastKnown, warnUnpinned } from "./describe.ts";
import type { DigestMemory, Knowledge } from "./digest-memory.ts";
import type { DigestQuestion } from "./digest-resolver.ts";
import { type Originals, readOriginals, sameOriginals, slotKey, withOriginals } from "./originals.ts";
import { type ImagesBefore, isPinOf, type Plan, planPins, pinnedText } from "./plan-pins.ts";
import { compilePinRules, type PinFailure, type PinRule, type PinSettings } from "./registry-rules.ts";

const NAME = "PinDigests";
const MIRROR_ANNOTATION = "kubernetes.io/config.mirror";

export interface PinOptions {
  readonly digests: DigestMemory;
  /** The first that matches an image counts. */
  readonly rules?: readonly PinRule[] | undefined;
  /** For images that no rule is about; `refuse` by default. */
  readonly onFailure?: PinFailure | undefined;
}

/** @throws AdmissionError for rules that can't be meant */
export function pinDigests(options: PinOptions): AdmissionPlugin {
  const settingsOf = compilePinRules(options.rules ?? [], options.onFailure ?? "refuse");
  return {
    name: NAME,
    admit: (request, call) => {
      const target = findTarget(request);
      if (target === undefined) return grant(request);
      const plans = planPins(target.slots, target.before).filter(
        (plan) => plan.step !== "pin" || settingsOf(plan.reference).pin,
      );
      const pins = plans.filter((plan) => plan.step === "pin");
      const outcomes = askAll(pins, { target, digests: options.digests, call });
      const decide = (known: ReadonlyMap<string, Knowledge>): AdmissionDecision =>
        conclude(request, { target, plans, known, settingsOf });
      return outcomes instanceof Promise ? outcomes.then(decide) : decide(outcomes);
    },
  };
}

interface Target {
  readonly object: KubernetesObject;
  readonly place: PodSpecPlace;
  readonly spec: JsonObject;
  readonly slots: readonly ImageSlot[];
  readonly before: ImagesBefore | undefined;
  readonly namespace: string;
}

/** Undefined where there is nothing to pin: nothing new, or nothing that could be changed. */
function findTarget(request: AdmissionRequest): Target | undefined {
  const { operation, resource, subresource, object, oldObject, namespace } = request;
  if ((operation !== "CREATE" && operation !== "UPDATE") || object === undefined) return undefined;
  const place = podSpecPlace(resource);
  if (place === undefined) return undefined;
  const ephemeral = isPodResource(resource) && subresource === "ephemeralcontainers";
  if (subresource !== "" && !ephemeral) return undefined;
  const { metadata } = object;
  // What runs on a node by a file of its own, or is on its way out, isn't ours to change.
  if (Object.hasOwn(metadata?.annotations ?? {}, MIRROR_ANNOTATION)) return undefined;
  if (metadata?.deletionTimestamp !== undefined) return undefined;
  const spec = readPodSpec(object, place);
  if (spec === undefined) return undefined;
  const slots = listImages(spec);
  const old = operation === "UPDATE" ? oldObject : undefined;
  const before =
    old === undefined
      ? undefined
      : { slots: listImages(readPodSpec(old, place)), originals: readOriginals(old) };
  return { object, place, spec, slots, before, namespace };
}

type Pin = Extract<Plan, { step: "pin" }>;

/** At once where every digest is at hand. */
function askAll(
  pins: readonly Pin[],
  work: { readonly target: Target; readonly digests: DigestMemory; readonly call: AdmissionOptions },
): ReadonlyMap<string, Knowledge> | Promise<ReadonlyMap<string, Knowledge>> {
  const { target, digests, call } = work;
  const known = new Map<string, Knowledge>();
  const waiting: Promise<void>[] = [];
  for (const { reference } of pins) {
    const image = formatReference(reference);
    if (known.has(image)) continue;
    const question = questionOf(image, target);
    const found = digests.find(question);
    if (found !== undefined) {
      known.set(image, found);
      continue;
    }
    const learned = digests.learn(question, { deadline: call.deadline, signal: call.signal });
    waiting.push(learned.then((knowledge) => void known.set(image, knowledge)));
  }
  return waiting.length === 0 ? known : Promise.all(waiting).then(() => known);
}

function questionOf(image: string, { spec, namespace }: Target): DigestQuestion {
  return {
    image,
    namespace,
    imagePullSecrets: objectsOf(spec["imagePullSecrets"]).map(({ name }) => textOf(name)),
    serviceAccountName: textOf(spec["serviceAccountName"]) || textOf(spec["serviceAccount"]) || "default",
  };
}

function conclude(
  request: AdmissionRequest,
  work: {
    readonly target: Target;
    readonly plans: readonly Plan[];
    readonly known: ReadonlyMap<string, Knowledge>;
    readonly settingsOf: (reference: Pin["reference"]) => PinSettings;
  },
): AdmissionDecision {
  const { target, plans, known, settingsOf } = work;
  const texts = new Map<string, string>();
  const originals = new Map<string, string>();
  const warnings: string[] = [];
  const reasons: AdmissionReason[] = [];
  const failures: { readonly field: string; readonly message: string }[] = [];
  for (const plan of plans) {
    if (plan.step === "leave") continue;
    const { slot } = plan;
    const field = `${target.place.field}.${slot.field}`;
    const settle = (text: string, message: string): void => {
      texts.set(placeKey(slot), text);
      originals.set(slotKey(slot), slot.image);
      reasons.push({ plugin: NAME, field, message });
    };
    if (plan.step === "restore") {
      settle(plan.pinned, `stays pinned: ${JSON.stringify(slot.image)} is what it was before`);
      continue;
    }
    const knowledge = known.get(formatReference(plan.reference));
    if (knowledge === undefined) continue;
    const { onFailure } = settingsOf(plan.reference);
    const found = knowledge.failure === undefined ? knowledge : knowledge.lastKnown;
    if (found !== undefined && (knowledge.failure === undefined || onFailure === "last-known")) {
      if (knowledge.failure !== undefined) warnings.push(warnLastKnown(slot, found, knowledge.failure));
      settle(pinnedText(slot, plan.reference, found.digest), `pinned to ${found.digest}`);
    } else if (knowledge.failure !== undefined && onFailure === "admit") {
      warnings.push(warnUnpinned(slot, knowledge.failure));
      reasons.push({ plugin: NAME, field, message: `not pinned: ${knowledge.failure.message}` });
    } else if (knowledge.failure !== undefined) {
      failures.push({ field, message: explainFailure(slot, knowledge.failure, request.namespace) });
    }
  }
  if (failures.length > 0) {
    const message = failures.map((one) => one.message).join("; ");
    const refused = failures.map(({ field, message: text }) => ({ plugin: NAME, field, message: text }));
    const error = forbiddenErrors(request, forbiddenError(request, message).message, failures);
    return refuse(error, { warnings, reasons: [...reasons, ...refused] });
  }
  return grantWith(applyPins(request, { target, texts, originals }), { warnings, reasons });
}

function applyPins(
  request: AdmissionRequest,
  work: {
    readonly target: Target;
    readonly texts: ReadonlyMap<string, string>;
    readonly originals: Originals;
  },
): KubernetesObject {
  const { target, texts } = work;
  const spec =
    texts.size === 0
      ? target.spec
      : mapImageOwners(target.spec, (owner, { list, index }) => {
          const text = texts.get(placeKey({ list, index }));
          return text === undefined
            ? owner
            : { ...owner, [list === "volumes" ? "reference" : "image"]: text };
        });
  const object = spec === target.spec ? target.object : withPodSpec(target.object, target.place, spec);
  // A Pod's ephemeral containers come through a door that lets nothing else in.
  if (request.subresource !== "") return object;
  const written = readOriginals(object);
  const originals = mergeOriginals(object, { target, written, pinned: work.originals });
  return sameOriginals(originals, written) ? object : withOriginals(object, originals);
}

/** What the annotation should say: new pins, and those of before whose images still are what pinning made of them. */
function mergeOriginals(
  object: KubernetesObject,
  work: { readonly target: Target; readonly written: Originals; readonly pinned: Originals },
): Originals {
  const { target, written, pinned } = work;
  // As with every new object: nothing was pinned before.
  if (written.size === 0 && (target.before?.originals.size ?? 0) === 0) return pinned;
  const old = new Map(target.before?.slots.map((slot) => [slotKey(slot), slot.image]));
  const merged = new Map<string, string>();
  for (const slot of listImages(readPodSpec(object, target.place))) {
    const key = slotKey(slot);
    const earlier = target.before?.originals.get(key);
    const stayed = old.get(key) === slot.image;
    // Who writes another digest by hand writes over a pin, though the note of it came along.
    const note = written.get(key) === earlier && !stayed ? undefined : written.get(key);
    const original = pinned.get(key) ?? note ?? (pinned.size > 0 && stayed ? earlier : undefined);
    if (original !== undefined && isPinOf(slot.image, original)) merged.set(key, original);
  }
  return merged;
}

/** By place: names needn't differ before validation. */
function placeKey({ list, index }: Pick<ImageSlot, "list" | "index">): string {
  return `${list}/${index}`;
}
