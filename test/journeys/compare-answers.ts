/** What explaining and the node say of one world, side by side. */
import assert from "node:assert/strict";

import type { AttemptTrace, Explanation, ImageTrace } from "../../src/explain/index.ts";
import type { World } from "./random-worlds.ts";
import type { Answers } from "./two-answers.ts";
import type { Asked, NodeAnswer } from "./world-node.ts";
import { isSlow } from "./world-lab.ts";
import { PASSWORDS } from "./world-objects.ts";

/** What calls itself neither manifest nor index. */
const STRANGE = / as an image: it is a "/;

function isStrange(outcome: NodeAnswer["outcome"]): boolean {
  return outcome.state === "failed" && STRANGE.test(outcome.message);
}

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
  // What the API has already isn't admitted again.
  if (state !== "skipped" && (state === "refused") !== (one.account === "missing")) {
    found.push(`explaining: ${pod.admission.state}, with ServiceAccount ${one.account}`);
  }
  const [first, second] = looks ?? [];
  if (first === undefined || second === undefined) return found;
  const { matched: firstMatched, whole } = matchSlots(pod.images, first, one);
  const matched = [...firstMatched, ...matchEphemeral(pod.images, { firstMatched, second, one })];
  // Of several hosts' images, some may have the same content.
  const had = new Set(answers.had);
  let surprised = false;
  let unsure = false;
  for (const { image, answer, earlier, later } of matched) {
    const differ = (what: string): void =>
      void found.push(`${image.slot.field} ${image.name.written}: ${what}`);
    // What would have come before it may not have had its turn, or may depend on what explaining doesn't ask.
    if ((later && !whole) || surprised) continue;
    // Its name points to what is no image, which a pull has brought nevertheless.
    if (earlier.some((other) => isStrange(other.answer.outcome))) {
      unsure = true;
      continue;
    }
    const blind = isBlind(image);
    surprised = blind && hasMore(image, answer);
    // A mirror may say what it is, and another host fail to give it, which is found out by fetching it alone.
    const failed = answer.outcome.state === "failed" && image.outcome.state === "failed";
    const strange = one.mirror !== null && failed && STRANGE.test(image.outcome.message ?? "");
    if (strange) unsure = true;
    else if (!surprised) compareOutcome(image, answer, { earlier, blind, differ });
    else if (answer.outcome.state !== "failed" && image.outcome.state === "failed") {
      differ(`explaining: ${image.outcome.message}, without a provider it didn't ask; the node got in`);
    }
    compareCredentials(image, answer, { blind, differ });
    // Looking whether a tag has moved teaches explaining how its registry wants to be asked.
    const knows = pod.images.some(
      (other) =>
        other.name.registry === image.name.registry &&
        (other.outcome.state === "present" || matched.every((reached) => reached.image !== other)),
    );
    if (earlier.length === 0 && !knows && !blind) {
      compareRequests(image, answer, { had, mirrored: one.mirror !== null, differ });
    }
    for (const { method, url } of answer.requests) if (method === "GET") had.add(digestIn(url));
  }
  return [
    ...found,
    ...(surprised || unsure ? [] : compareSecond(firstMatched, second, one)),
    ...(live === undefined ? [] : compareLive(live, answers, one)),
  ];
}

interface Matched {
  readonly image: ImageTrace;
  readonly answer: NodeAnswer;
  /** What the node did before for images of the same repository. */
  readonly earlier: readonly Matched[];
  /** Whether the node came to it at its second look. */
  readonly later: boolean;
}

/** The node stops at an init container that fails, and at a container whose volume does. */
function matchSlots(
  images: readonly ImageTrace[],
  answers: readonly NodeAnswer[],
  one: World,
): { readonly matched: readonly Matched[]; readonly whole: boolean } {
  const rank = { volume: 0, init: 1, container: 2, ephemeral: 3 };
  const order = images
    .filter(({ slot }) => slot.kind !== "ephemeral")
    .toSorted((a, b) => rank[a.slot.kind] - rank[b.slot.kind]);
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
    matched.push(matchOne(image, left.shift(), { before: matched, later: false }));
    const { answer } = matched.at(-1) as Matched;
    if (kind === "init" && answer.outcome.state === "failed") break;
  }
  assert.equal(left.length, 0, "the node did more than there is to do");
  return { matched, whole: matched.length === order.length };
}

/** Ephemeral containers join a Pod whose volumes the node has looked at once more. */
function matchEphemeral(
  images: readonly ImageTrace[],
  node: {
    readonly firstMatched: readonly Matched[];
    readonly second: readonly NodeAnswer[];
    readonly one: World;
  },
): readonly Matched[] {
  const { firstMatched: before, second, one } = node;
  const ephemeral = images.filter(({ slot }) => slot.kind === "ephemeral");
  assert.equal(ephemeral.length, one.ephemeral.length);
  const answers = second.slice(one.volumes.length);
  return ephemeral.map((image, index) => matchOne(image, answers[index], { before, later: true }));
}

function matchOne(
  image: ImageTrace,
  answer: NodeAnswer | undefined,
  { before, later }: { readonly before: readonly Matched[]; readonly later: boolean },
): Matched {
  assert.ok(answer !== undefined, `the node never came to ${image.slot.field}`);
  assert.equal(answer.image, image.name.written);
  assert.equal(answer.policy, image.policy.value, `the policy of ${image.slot.field}`);
  return { image, answer, earlier: before.filter((other) => placeOf(other.image) === placeOf(image)), later };
}

/** Whether there is a program that explaining doesn't run: it wants a token. Explaining has to say so. */
function isBlind({ credentials }: ImageTrace): boolean {
  return credentials.sources.some(
    ({ kind, state, detail }) =>
      kind === "provider" &&
      state === "not-asked" &&
      detail?.startsWith("it wants a token of the ServiceAccount, ") === true,
  );
}

/** Whether the node had credentials that explaining hadn't. */
function hasMore(image: ImageTrace, { tried = [] }: NodeAnswer): boolean {
  return tried.length > image.credentials.order.length;
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
  work: { readonly earlier: readonly Matched[]; readonly blind: boolean; readonly differ: Differ },
): void {
  const { earlier, blind, differ } = work;
  const said = image.outcome;
  const state = { present: "present", pulled: "pullable", failed: "failed" }[outcome.state];
  const shown = `explaining: ${said.state} ${said.reason ?? ""} ${said.message ?? ""}`;
  if (outcome.state !== "failed") {
    if (said.state !== state) differ(`${shown}; the node: ${outcome.state}`);
    return;
  }
  // What it doesn't ask could have mattered.
  const guess = blind && said.state === "unknown";
  // The node fetched what explaining may only look for, of a registry that doesn't let itself be looked at.
  if (said.state === "pullable" && untoldIn(image).some((digest) => isLost(outcome.message, digest))) return;
  if (said.state !== "failed" && !guess)
    return differ(`${shown}; the node: ${outcome.reason} ${outcome.message}`);
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

/** Layers that explaining says it couldn't ask about. */
function untoldIn({ content }: ImageTrace): readonly string[] {
  return (content?.layers ?? []).filter(({ state }) => state === "untold").map(({ digest }) => digest);
}

function isLost(message: string, digest: string): boolean {
  return message.includes(`Cannot read blob ${JSON.stringify(digest)}`) && message.endsWith("BLOB_UNKNOWN");
}

function compareCredentials(
  image: ImageTrace,
  { outcome, tried, used }: NodeAnswer,
  { blind, differ }: { readonly blind: boolean; readonly differ: Differ },
): void {
  if (outcome.state === "failed" && outcome.reason === "ImagePullBackOff") return;
  const { credentials, attempts } = image;
  const order = credentials.order.map(({ label, username }) => `${username} of ${label}`);
  if (credentials.state !== "looked-up") {
    if (tried !== undefined)
      differ(`explaining looked up none; the node tried ${tried.join(", ") || "without"}`);
    return;
  }
  const unseen = credentials.sources.filter(({ state }) => state === "not-asked").map(({ label }) => label);
  const wanted = blind
    ? tried?.filter((one) => !unseen.some((label) => one.includes(` of ${label},`)))
    : tried;
  if (JSON.stringify(order) !== JSON.stringify(wanted)) {
    differ(`explaining tries ${order.join(", ")}; the node tried ${tried?.join(", ")}`);
  }
  if (wanted?.length !== tried?.length) return;
  const opened = attempts.findIndex(({ result }) => result === "ok");
  const winner = opened < 0 || image.outcome.state !== "pullable" ? undefined : order[opened];
  if (winner !== used) differ(`explaining gets in by ${winner}; the node got in by ${used}`);
}

/** Explaining asks for layers by HEAD, and once more for the words of a 404. */
function compareRequests(
  image: ImageTrace,
  { outcome, requests }: NodeAnswer,
  work: { readonly had: ReadonlySet<string>; readonly mirrored: boolean; readonly differ: Differ },
): void {
  const { had, mirrored, differ } = work;
  const { attempts, credentials } = image;
  if (outcome.state === "present" || attempts.some(({ repeated }) => repeated)) return;
  const ours = attempts.flatMap((attempt, index) =>
    withoutAgain(attempt).map(({ method, url, authorization }): Asked => {
      const as = authorization === "basic" ? `basic ${credentials.order[index]?.username}` : authorization;
      return { method, url, as };
    }),
  );
  // What calls itself neither manifest nor index is fetched like a blob, which explaining leaves where it is.
  const strange = outcome.state === "failed" && STRANGE.test(outcome.message);
  const isRead = ({ method, url }: Asked): boolean =>
    method === "GET" && (had.has(digestIn(url)) || (strange && digestIn(url) !== ""));
  // Whoever doesn't read a document needs no token for it.
  const isToken = ({ url }: Asked): boolean => ours.some(isRead) && !/\/(?:manifests|blobs)\//.test(url);
  // Each host of several may want a token and send elsewhere for each layer: that is as long as the pull. What is to
  // be the same is who is asked in which order, and as whom.
  const isQuestion = ({ method, url }: Asked): boolean =>
    !mirrored || (method === "HEAD" && url.includes("/manifests/"));
  const documents = (list: readonly Asked[]): string =>
    list
      .filter((one) => !one.url.includes("/blobs/") && !isRead(one) && !isToken(one) && isQuestion(one))
      .map(({ method, url, as }) => `\n  ${method} ${url} as ${as}`)
      .join("");
  // Who doesn't get a layer tries the next credential, which explaining knows to be no help.
  const lost = image.outcome.message?.endsWith(" is not at the registry") === true;
  const same = documents(ours) === documents(requests);
  if (!same && !(lost && documents(requests).startsWith(documents(ours)))) {
    differ(`explaining asks${documents(ours)}\nthe node asked${documents(requests)}`);
  }
  if (outcome.state !== "pulled") return;
  const layers = (image.content?.layers ?? [])
    .map(({ digest }) => digest)
    .filter((digest) => !had.has(digest));
  const fetched = layers.filter((digest) =>
    requests.some(({ method, url }) => method === "GET" && digestIn(url) === digest),
  );
  const looked = layers.filter((digest) =>
    ours.some(({ method, url }) => method === "HEAD" && digestIn(url) === digest),
  );
  if (fetched.length < layers.length)
    differ(`the node fetched ${fetched.join(", ")} of ${layers.join(", ")}`);
  if (looked.length < layers.length)
    differ(`explaining looked for ${looked.join(", ")} of ${layers.join(", ")}`);
}

/** Without what explaining repeats for the words of a 404. */
function withoutAgain({ exchanges }: AttemptTrace): AttemptTrace["exchanges"] {
  const last = exchanges.at(-1);
  const head = exchanges.findLast(({ method, url }) => method === "HEAD" && url === last?.url);
  return last?.method === "GET" && head?.status === 404 ? exchanges.slice(0, -1) : exchanges;
}

function digestIn(url: string): string {
  return /\/(sha256:[0-9a-f]{64})(?:\?|$)/.exec(url)?.[1] ?? "";
}

/** At its second look the node waits where a pull failed, and says the rest again. */
function compareSecond(
  matched: readonly Matched[],
  second: readonly NodeAnswer[],
  one: World,
): readonly string[] {
  // The back-off may be over while a slow registry answers.
  const slow = isSlow(one);
  // Ephemeral containers come to their first turn now.
  const [from, to] = [one.volumes.length, one.volumes.length + one.ephemeral.length];
  return second.toSpliced(from, to - from).flatMap((answer) => {
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
    const untold = same.some(({ image }) =>
      untoldIn(image).some((digest) => isLost(outcome.message, digest)),
    );
    return reasons.includes(got) || lost || untold
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
    // Explaining goes on behind an init container that fails, with what the others would bring; the node doesn't.
    const apart =
      slot.kind === "ephemeral" &&
      images.some((other) => other.slot.kind === "init" && other.outcome.state === "failed");
    // What runs may have another's image by now: pulling the same content makes it one that has to be earned.
    if (observed?.agrees === false && observed.state === "waiting" && !mounted && !apart)
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
