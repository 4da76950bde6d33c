/** Sends the reviews an API server sent to a lab's webhook to ours, and holds the answers to the rules. */
import { isDeepStrictEqual } from "node:util";

import {
  type AdmissionDecision,
  type AdmissionPlugin,
  alwaysPullImages,
  DigestMemory,
  listImages,
  ORIGINALS_ANNOTATION,
  pinDigests,
  podSpecPlace,
  readPodSpec,
  readReview,
  Webhook,
  withPodSpec,
} from "../../../src/admission/index.ts";
import { applyJsonPatch } from "../../../src/kubernetes/patch/json-patch.ts";
import type { Json, JsonObject, KubernetesObject } from "../../../src/kubernetes/index.ts";
import type { AdmissionCall, AdmissionRecording } from "./recording.ts";

const DIGEST = `sha256:${"d".repeat(64)}`;

/** What isn't as it should be, in one line each. */
export async function replayReviews(recording: AdmissionRecording): Promise<readonly string[]> {
  const differences: string[] = [];
  for (const [index, call] of recording.admissionCalls.entries()) {
    const say = (why: string): void => void differences.push(`call ${index}: ${why}`);
    await checkNothingToDo(call, say);
    await checkPinning(call, say);
    await checkAlwaysPull(call, say);
    await checkSameWords(call, say);
  }
  return differences;
}

type Say = (why: string) => void;

/** A chain that has nothing to say says what the lab's webhook said when it let everything pass. */
async function checkNothingToDo(call: AdmissionCall, say: Say): Promise<void> {
  const { response } = await ask(call, [], say);
  const { uid } = call.review.request;
  if (!isDeepStrictEqual(response, { uid, allowed: true })) say(`not let pass: ${JSON.stringify(response)}`);
}

/** Each image whose text is new is pinned, and nothing else changes. */
async function checkPinning(call: AdmissionCall, say: Say): Promise<void> {
  let asked = 0;
  const resolver = {
    resolve: async () => {
      asked++;
      return { digest: DIGEST };
    },
  };
  const startTimer = () => (): void => {};
  await using digests = new DigestMemory({ resolver, now: () => 0, startTimer });
  const { result, object } = await ask(call, [pinDigests({ digests })], say);
  const { operation, oldObject, resource, subresource } = readReview(call.review).request;
  const place = podSpecPlace(resource);
  if (operation === "DELETE" || object === undefined || place === undefined) {
    if (asked > 0 || result !== undefined) say("touched though there is nothing to pin");
    return;
  }
  const before = new Set(listImages(readPodSpec(oldObject, place)).map(({ image }) => image));
  const expected = listImages(readPodSpec(object, place)).map(({ image }) => {
    if (image === "" || before.has(image)) return image;
    const name = image.slice(image.lastIndexOf("/") + 1);
    return `${image}${name.includes(":") ? "" : ":latest"}@${DIGEST}`;
  });
  const pinned = result ?? object;
  const actual = listImages(readPodSpec(pinned, place)).map(({ image }) => image);
  if (!isDeepStrictEqual(actual, expected)) say(`pinned as ${JSON.stringify(actual)}`);
  if (!isDeepStrictEqual(unpin(pinned, object), object)) say("pinning changed more than images");
  const noted = pinned.metadata.annotations?.[ORIGINALS_ANNOTATION] !== undefined;
  const changed = !isDeepStrictEqual(
    actual,
    listImages(readPodSpec(object, place)).map((one) => one.image),
  );
  if (noted !== (changed && subresource === "")) say("what images were before is noted wrongly");
}

/** The pinned object with the images and annotations of the one before. */
function unpin(pinned: KubernetesObject, object: KubernetesObject): KubernetesObject {
  const place = podSpecPlaceOf(object);
  if (place === undefined) return pinned;
  let spec = readPodSpec(pinned, place) ?? {};
  const original = readPodSpec(object, place) ?? {};
  for (const list of ["initContainers", "containers", "ephemeralContainers"]) {
    const [now, then] = [spec[list], original[list]];
    if (!Array.isArray(now) || !Array.isArray(then)) continue;
    const images = (then as readonly JsonObject[]).map(({ image }) => image);
    spec = {
      ...spec,
      [list]: (now as readonly JsonObject[]).map((one, at) =>
        images[at] === undefined ? one : { ...one, image: images[at] },
      ),
    };
  }
  const { annotations: _, ...metadata } = pinned.metadata;
  const { annotations } = object.metadata;
  const restored = { ...metadata, ...(annotations !== undefined && { annotations }) };
  return { ...withPodSpec(pinned, place, spec), metadata: restored };
}

function podSpecPlaceOf({ apiVersion, kind }: KubernetesObject): ReturnType<typeof podSpecPlace> {
  const [group = "", version = ""] = apiVersion.includes("/") ? apiVersion.split("/") : ["", apiVersion];
  return podSpecPlace({ group, version, resource: `${kind.toLowerCase()}s` });
}

/** Pods alone, and not through a subresource. */
async function checkAlwaysPull(call: AdmissionCall, say: Say): Promise<void> {
  const { result, object } = await ask(call, [alwaysPullImages], say);
  const { operation, resource, subresource } = readReview(call.review).request;
  const place = podSpecPlace(resource);
  if (operation === "DELETE" || subresource !== "" || resource.resource !== "pods" || place === undefined) {
    if (result !== undefined) say("AlwaysPullImages changed what it must leave alone");
    return;
  }
  const spec = readPodSpec(result ?? object, place) ?? {};
  const policies = ["initContainers", "containers"].flatMap((list) =>
    ((spec[list] ?? []) as readonly JsonObject[]).map((one) => one["imagePullPolicy"]),
  );
  if (policies.some((policy) => policy !== "Always")) say(`policies are ${JSON.stringify(policies)}`);
}

/** What the lab's webhook said in words or by a patch, ours says in the same words, or by a patch that does the same. */
async function checkSameWords(call: AdmissionCall, say: Say): Promise<void> {
  const { uid, object } = call.review.request;
  const { status, body } = call.reply ?? {};
  const response = (body?.["response"] ?? {}) as JsonObject;
  if (status !== 200 || body?.["apiVersion"] !== "admission.k8s.io/v1" || response["uid"] !== uid) return;
  if (response["patch"] !== undefined && call.patchDecoded === undefined) return;
  let target: Json | undefined;
  try {
    target = call.patchDecoded && applyJsonPatch(object as Json, call.patchDecoded as Json);
  } catch {
    return; // The lab's webhook sent patches that can't be applied, too.
  }
  const plugin: AdmissionPlugin = {
    name: "lab",
    admit: () => decisionOf(response, (target ?? object) as KubernetesObject),
  };
  const { response: ours, result } = await ask(call, [plugin], say);
  const { patch: _, patchType: __, ...words } = response;
  const { patch: ___, patchType: ____, ...ownWords } = ours ?? {};
  const own = { ...ownWords, ...ownStatus(ownWords["status"]) };
  if (!isDeepStrictEqual(clean(own), words)) say(`words differ: ${JSON.stringify(own)}`);
  if (target !== undefined && !isDeepStrictEqual(result ?? object, target))
    say("the patch does something else");
}

function decisionOf(response: JsonObject, object: KubernetesObject | null): AdmissionDecision {
  const warnings = (response["warnings"] ?? []) as readonly string[];
  if (response["allowed"] === true) {
    return { allowed: true, ...(object !== null && { object }), warnings, reasons: [] };
  }
  const status = (response["status"] ?? {}) as JsonObject;
  const frame = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure" } as const;
  return { allowed: false, status: { ...frame, ...status }, warnings, reasons: [] };
}

/** Without what every Status has, and a webhook may leave out. */
function ownStatus(given: unknown): JsonObject {
  if (given === undefined) return {};
  const { metadata: _, status: __, ...rest } = given as JsonObject;
  const { message, ...others } = rest;
  const status = message === "" ? others : rest;
  return { status: Object.keys(status).length === 0 ? undefined : status };
}

function clean(value: JsonObject): unknown {
  return JSON.parse(JSON.stringify(value));
}

interface Asked {
  readonly response: JsonObject | undefined;
  readonly object: KubernetesObject | undefined;
  /** What the patch makes of the object; undefined without one. */
  readonly result: KubernetesObject | undefined;
}

/** Posts the review as it was sent, and checks the frame of the answer. */
async function ask(call: AdmissionCall, chain: readonly AdmissionPlugin[], say: Say): Promise<Asked> {
  const path = call.path.split("?", 1)[0] ?? "";
  const webhook = new Webhook({
    routes: { [path]: { chain, phase: "admit" } },
    onError: (error) => say(String(error)),
  });
  const body = JSON.stringify(call.review);
  const headers = { "content-type": call.headers["Content-Type"] ?? "application/json" };
  const answer = await webhook.fetch(
    new Request(`https://dray${call.path}`, { method: "POST", headers, body }),
  );
  if (answer.status !== 200) say(`answered ${answer.status}`);
  if (answer.headers.get("content-type") !== "application/json") say("the answer is not JSON");
  const review = (await answer.json()) as JsonObject;
  const { apiVersion, kind, response } = review as { readonly response?: JsonObject } & JsonObject;
  if (apiVersion !== "admission.k8s.io/v1" || kind !== "AdmissionReview")
    say("the answer is no AdmissionReview");
  const { uid, object } = call.review.request;
  if (response?.["uid"] !== uid) say("the answer has another uid");
  const { patch, patchType } = response ?? {};
  if ((patch === undefined) !== (patchType === undefined)) say("a patch and its type go together");
  if (patch !== undefined && patchType !== "JSONPatch") say(`the patch is a ${JSON.stringify(patchType)}`);
  if (typeof patch !== "string") return { response, object: asObject(object), result: undefined };
  const bytes = Buffer.from(patch, "base64");
  if (bytes.toString("base64") !== patch) say("the patch is not base64");
  const operations = JSON.parse(bytes.toString()) as Json;
  if (!Array.isArray(operations) || operations.length === 0) say("the patch is empty");
  const result = applyJsonPatch(object as Json, operations) as unknown as KubernetesObject;
  return { response, object: asObject(object), result };
}

function asObject(value: unknown): KubernetesObject | undefined {
  return value === null || value === undefined ? undefined : (value as KubernetesObject);
}
