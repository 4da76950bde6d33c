/** What explaining and the node say of one world, side by side. */
import assert from "node:assert/strict";

import type { Explanation, ImageTrace } from "../../src/explain/index.ts";
import type { World } from "./random-worlds.ts";
import type { Answers } from "./two-answers.ts";
import type { NodeAnswer } from "./world-node.ts";
import { isSlow } from "./world-lab.ts";
import { PASSWORDS } from "./world-objects.ts";

/** What the two say that isn't the same, in sentences without secrets. */
export function compareAnswers(one: World, answers: Answers): readonly string[] {
  const { explained, looks, live, problems, traces, shown } = answers;
  const found = [...traces];
  for (const secret of secretForms()) if (shown.includes(secret)) found.push("a secret was shown");
  const [pod] = explained.pods;
  if (pod === undefined) return [...found, "explaining saw no Pod"];
  const { state } = pod.admission;
  // A ServiceAccount that isn't there is found out before a fault in the Pod.
  if (state !== "refused" && (state === "invalid") !== (looks === undefined)) {
    found.push(`explaining: ${pod.admission.state}; the node: ${problems.join("; ") || "took it"}`);
  }
  if ((pod.admission.state === "refused") !== (one.account === "missing")) {
    found.push(`explaining: ${pod.admission.state}, with ServiceAccount ${one.account}`);
  }
  const [first, second] = looks ?? [];
  if (first === undefined || second === undefined) return found;
  const matched = matchSlots(pod.images, first, one);
  for (const { image, answer, earlier } of matched) {
    const differ = (what: string): void =>
      void found.push(`${image.slot.field} ${image.name.written}: ${what}`);
    compareOutcome(image, answer, { earlier, differ });
    compareCredentials(image, answer, differ);
    // Looking whether a tag has moved teaches explaining how its registry wants to be asked.
    const knows = matched.some(
      (other) => other.image.outcome.state === "present" && other.image.name.registry === image.name.registry,
    );
    if (earlier.length === 0 && !knows) compareRequests(image, answer, { had: answers.had, differ });
  }
  return [
    ...found,
    ...compareSecond(matched, second, one),
    ...(live === undefined ? [] : compareLive(live, answers, one)),
  ];
}

interface Matched {
  readonly image: ImageTrace;
  readonly answer: NodeAnswer;
  /** What the node did before for images of the same repository. */
  readonly earlier: readonly Matched[];
}

/** The node stops at an init container that fails, and at a container whose volume does. */
function matchSlots(
  images: readonly ImageTrace[],
  answers: readonly NodeAnswer[],
  one: World,
): readonly Matched[] {
  const rank = { volume: 0, init: 1, container: 2, ephemeral: 3 };
  const order = images.toSorted((a, b) => rank[a.slot.kind] - rank[b.slot.kind]);
  const left = [...answers];
  const matched: Matched[] = [];
  const failedVolume = (): boolean =>
    matched.some(({ image, answer }) => image.slot.kind === "volume" && answer.outcome.state === "failed");
  const mounts = ({ kind, name }: ImageTrace["slot"]): boolean => {
    const list = kind === "init" ? one.init : one.containers;
    return list[Number(name.slice(1))]?.mounts === true;
  };
  for (const image of order) {
    const { kind } = image.slot;
    if (kind !== "volume" && mounts(image.slot) && failedVolume()) {
      if (kind === "init") break;
      continue;
    }
    const answer = left.shift();
    assert.ok(answer !== undefined, `the node never came to ${image.slot.field}`);
    assert.equal(answer.image, image.name.written);
    assert.equal(answer.policy, image.policy.value, `the policy of ${image.slot.field}`);
    const earlier = matched.filter((other) => placeOf(other.image) === placeOf(image));
    matched.push({ image, answer, earlier });
    if (kind === "init" && answer.outcome.state === "failed") break;
  }
  assert.equal(left.length, 0, "the node did more than there is to do");
  return matched;
}

/** Who keeps content says so, and who only looks at it another thing. */
const STORED = /Cannot (?:accept content|keep blob)(?= "sha256:)|"(?=sha256:)|(?<=sha256:[0-9a-f]{64})"/g;

/** Registries don't tell upper case from lower. */
function placeOf({ name }: ImageTrace): string {
  return `${name.registry?.toLowerCase()}/${name.repository}`;
}

type Differ = (what: string) => void;

function compareOutcome(
  image: ImageTrace,
  { outcome }: NodeAnswer,
  { earlier, differ }: { readonly earlier: readonly Matched[]; readonly differ: Differ },
): void {
  const said = image.outcome;
  const state = { present: "present", pulled: "pullable", failed: "failed" }[outcome.state];
  const shown = `explaining: ${said.state} ${said.reason ?? ""} ${said.message ?? ""}`;
  if (outcome.state !== "failed") {
    if (said.state !== state) differ(`${shown}; the node: ${outcome.state}`);
    return;
  }
  if (said.state !== "failed") return differ(`${shown}; the node: ${outcome.reason} ${outcome.message}`);
  const lost = /^content (sha256:[0-9a-f]+) .* is not at the registry$/.exec(said.message ?? "")?.[1];
  const waits = outcome.reason === "ImagePullBackOff";
  if (waits) {
    const before = earlier.some(
      (other) => other.answer.image === image.name.written && other.answer.outcome.state === "failed",
    );
    if (!before) differ("the node waits, and nothing failed before");
  }
  const text = `Back-off pulling image ${JSON.stringify(image.name.written)}: ${said.reason}: `;
  const reason = waits ? "ImagePullBackOff" : said.reason;
  const message = lost === undefined ? `${waits ? text : ""}${said.message}` : outcome.message;
  const sameWords = (words: string): string => words.replaceAll(STORED, "");
  if (lost !== undefined && !outcome.message.includes(lost)) differ(`${shown}; the node: ${outcome.message}`);
  if (outcome.reason !== reason || sameWords(outcome.message) !== sameWords(message)) {
    differ(`${shown}; the node: ${outcome.reason} ${outcome.message}`);
  }
}

function compareCredentials(image: ImageTrace, { outcome, tried, used }: NodeAnswer, differ: Differ): void {
  if (outcome.state === "failed" && outcome.reason === "ImagePullBackOff") return;
  const { credentials, attempts } = image;
  const order = credentials.order.map(({ label, username }) => `${username} of ${label}`);
  if (credentials.state !== "looked-up") {
    if (tried !== undefined)
      differ(`explaining looked up none; the node tried ${tried.join(", ") || "without"}`);
    return;
  }
  if (JSON.stringify(order) !== JSON.stringify(tried)) {
    differ(`explaining tries ${order.join(", ")}; the node tried ${tried?.join(", ")}`);
  }
  const opened = attempts.findIndex(({ result }) => result === "ok");
  const winner = opened < 0 || image.outcome.state !== "pullable" ? undefined : order[opened];
  if (winner !== used) differ(`explaining gets in by ${winner}; the node got in by ${used}`);
}

/** Explaining asks for layers by HEAD, and once more for the words of a 404. */
function compareRequests(
  image: ImageTrace,
  { outcome, requests }: NodeAnswer,
  { had, differ }: { readonly had: ReadonlySet<string>; readonly differ: Differ },
): void {
  const { attempts } = image;
  if (outcome.state === "present" || attempts.some(({ repeated }) => repeated)) return;
  const isBlob = (request: string): boolean => request.includes("/blobs/");
  const isHad = (request: string): boolean => had.has(/[^/]*$/.exec(request)?.[0] ?? "");
  const ours = attempts.flatMap(({ exchanges }) => {
    const last = exchanges.at(-1);
    const head = exchanges.findLast(({ method, url }) => method === "HEAD" && url === last?.url);
    const again = last?.method === "GET" && head?.status === 404;
    return (again ? exchanges.slice(0, -1) : exchanges).map(({ method, url }) => `${method} ${url}`);
  });
  const documents = (list: readonly string[]): readonly string[] =>
    list.filter((request) => !isBlob(request) && !(request.startsWith("GET ") && isHad(request)));
  // What calls itself neither manifest nor index is fetched like a blob, which explaining leaves where it is.
  const strange = outcome.state === "failed" && / as an image: it is a "/.test(outcome.message);
  const isRead = (request: string): boolean => strange && /^GET .*\/manifests\/sha256:/.test(request);
  const asked = documents(ours).filter((request) => !isRead(request));
  const wanted = documents(requests).filter((request) => !isRead(request));
  if (JSON.stringify(asked) !== JSON.stringify(wanted)) {
    differ(`explaining asks\n  ${asked.join("\n  ")}\nthe node asked\n  ${wanted.join("\n  ")}`);
  }
  if (outcome.state !== "pulled") return;
  const layers = (image.content?.layers ?? [])
    .map(({ digest }) => digest)
    .filter((digest) => !had.has(digest));
  const fetched = layers.filter((digest) =>
    requests.some((one) => one.startsWith("GET ") && one.endsWith(digest)),
  );
  const looked = layers.filter((digest) =>
    ours.some((one) => one.startsWith("HEAD ") && one.endsWith(digest)),
  );
  if (fetched.length < layers.length)
    differ(`the node fetched ${fetched.join(", ")} of ${layers.join(", ")}`);
  if (looked.length < layers.length)
    differ(`explaining looked for ${looked.join(", ")} of ${layers.join(", ")}`);
}

/** At its second look the node waits where a pull failed, and says the rest again. */
function compareSecond(
  matched: readonly Matched[],
  second: readonly NodeAnswer[],
  one: World,
): readonly string[] {
  // The back-off may be over while a slow registry answers.
  const slow = isSlow(one);
  return second.flatMap((answer) => {
    const { outcome } = answer;
    if (outcome.state !== "failed") return [];
    const same = matched.filter(
      ({ image }) => image.name.written === answer.image && image.policy.value === answer.policy,
    );
    // What kept it from its turn at the first look may be over.
    if (same.length === 0) return [];
    const reasons = same.flatMap(({ image }) => {
      const { reason = "", message } = image.outcome;
      const backOff = `ImagePullBackOff Back-off pulling image ${JSON.stringify(answer.image)}: ${reason}: ${message}`;
      return ["ErrImagePull", "RegistryUnavailable", "SignatureValidationFailed"].includes(reason)
        ? [backOff, ...(slow ? [`${reason} ${message}`] : [])]
        : [`${reason} ${message}`];
    });
    const got = `${outcome.reason} ${outcome.message}`;
    const lost = reasons.some(
      (text) => text.endsWith(" is not at the registry") || /bytes hash to/.test(text),
    );
    return reasons.includes(got) || lost
      ? []
      : [`second look at ${answer.image}: ${got}, not ${reasons.join(" or ")}`];
  });
}

/** Of the Pod as the node left it, explaining mustn't contradict what the node said of it. */
function compareLive(live: Explanation, { state }: Answers, one: World): readonly string[] {
  const images = live.pods.flatMap((pod) => pod.images);
  const slow = isSlow(one);
  return images.flatMap(({ slot, name, observed, outcome }) => {
    const container = state?.containers.find(({ role, name: of }) => role === slot.kind && of === slot.name);
    const where = `live ${slot.field} ${name.written}`;
    const wrong: string[] = [];
    // Of one name for a volume and for whoever mounts it, a status doesn't say which is meant.
    const mounted =
      slot.kind === "volume" &&
      images.some((other) => other.slot.kind !== "volume" && other.name.written === name.written);
    // What runs may have another's image by now: pulling the same content makes it one that has to be earned.
    if (observed?.agrees === false && observed.state === "waiting" && !mounted)
      wrong.push(`${where}: ${observed.verdict}; ${outcome.message}`);
    const next = observed?.backOff?.nextAttempt;
    const retryAt = container?.retryAt;
    const due = retryAt === undefined || slow ? undefined : retryAt;
    if (next !== undefined && due !== undefined && Math.abs(Date.parse(next) - due) > 1000) {
      wrong.push(`${where}: next attempt ${next}, not ${new Date(due).toISOString()}`);
    }
    // A container may wait for what it mounts.
    const own = container?.message?.includes(JSON.stringify(name.written)) === true && slot.kind !== "volume";
    if (own && container.reason === "ImagePullBackOff" && next === undefined) {
      wrong.push(`${where}: waits, and explaining doesn't say until when`);
    }
    return wrong;
  });
}

function secretForms(): readonly string[] {
  return PASSWORDS.flatMap((password) => [
    password,
    ...["alice", "bob", ""].map((user) =>
      Buffer.from(`${user}:${password}`).toString("base64").replaceAll("=", ""),
    ),
  ]);
}
