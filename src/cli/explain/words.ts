/** The sentences that the tree and the page have in common. */
import type {
  CredentialSourceTrace,
  EntryTrace,
  ExchangeTrace,
  HostTrace,
  ImageTrace,
  LayerTrace,
  PlannedRequest,
  PodTrace,
  SlotTrace,
} from "../../explain/index.ts";
import { formatBytes, formatDuration, formatRate } from "../terminal/units.ts";

const KINDS: Readonly<Record<SlotTrace["kind"], string>> = {
  container: "container",
  init: "init container",
  ephemeral: "ephemeral container",
  volume: "image volume",
};

export function slotWords({ slot }: ImageTrace): string {
  return `${KINDS[slot.kind]} ${slot.name}`;
}

export function podWords({ subject, node }: PodTrace): string {
  const { kind, namespace, name, file, line, owner } = subject;
  const place = file === undefined ? "" : ` (${file}${line === undefined ? "" : `:${line}`})`;
  const made = owner === undefined ? "" : `, made by ${owner.kind} ${owner.name}`;
  const on = node.name === undefined ? node.platform : `${node.name}, ${node.platform}`;
  return `${kind} ${namespace}/${name}${place}${made}, for ${on}`;
}

export function outcomeWords({ outcome, content, presence }: ImageTrace): string {
  switch (outcome.state) {
    case "present":
      return `used as it is: it is on the node${presence.source === undefined ? "" : ` (${presence.source})`}`;
    case "pullable":
      return content === undefined
        ? "would be pulled"
        : `would be pulled: ${formatBytes(content.missing)} to fetch, about ${formatDuration(content.estimate.milliseconds)} at ${formatRate(content.estimate.rate)}`;
    case "unasked":
      return "would be pulled if the registry lets it; nobody was asked";
    case "unknown":
      return `not to be known from here${outcome.reason === undefined ? "" : `; with what could be seen, ${outcome.reason}: ${outcome.message ?? ""}`}`;
    case "failed":
      return outcome.reason === outcome.message
        ? (outcome.message ?? "")
        : `${outcome.reason ?? ""}: ${outcome.message ?? ""}`;
  }
}

export function nameWords({ name }: ImageTrace): string {
  if (name.problem !== undefined) return name.problem;
  const added = name.tagDefaulted ? ", tag latest added" : "";
  const parts = [`registry ${name.registry ?? ""}`, `repository ${name.repository ?? ""}`];
  if (name.tag !== undefined) parts.push(`tag ${name.tag}`);
  if (name.digest !== undefined) parts.push(`digest ${name.digest}`);
  return `${name.normalised ?? name.written}: ${parts.join(", ")}${added}`;
}

export function presenceWords({ presence, access }: ImageTrace): string {
  const here = {
    present: `there, as ${presence.id === "" || presence.id === undefined ? (presence.digest ?? "an image") : presence.id}`,
    absent: "not there",
    unknown: "nobody knows; taken for absent",
    "not-asked": "not asked",
  }[presence.state];
  if (access === undefined) return here;
  const verified = access.verification === undefined ? "" : `, ${access.verification}`;
  return `${here}; ${access.mustPull ? "this Pod has to pull all the same" : "this Pod may use it"} (${access.because}${verified})`;
}

const STATES: Readonly<Record<CredentialSourceTrace["state"], string>> = {
  matched: "has an entry",
  "not-matched": "has nothing for this image",
  empty: "is empty",
  missing: "isn't there",
  unseen: "couldn't be looked at",
  "wrong-type": "is passed over",
  "key-missing": "is passed over",
  broken: "can't be read",
  failed: "failed",
  "not-asked": "wasn't asked",
};

export function sourceWords({ label, state, detail }: CredentialSourceTrace): string {
  return `${label} ${STATES[state]}${detail === undefined ? "" : `: ${detail}`}`;
}

/** Undefined for what isn't a program, or didn't run. */
export function runWords({ run }: CredentialSourceTrace): string | undefined {
  if (run === undefined) return undefined;
  const { argv, exit, milliseconds, cache, token } = run;
  const given = token === undefined ? "" : `, ${token}`;
  const kept = cache === undefined ? "" : `, ${cache}`;
  return `ran ${argv.join(" ")} → ${exit === null ? "no exit" : `exit ${exit}`} in ${formatDuration(milliseconds)}${kept}${given}`;
}

/** What a Pod's own status complains of. */
export function conditionWords({ conditions = [] }: PodTrace): readonly string[] {
  return conditions
    .filter(({ type, status }) => (type === "DisruptionTarget" ? status === "True" : status !== "True"))
    .map(({ type, status, reason, message }) =>
      [`${type} is ${status}`, reason, message].filter((part) => part !== undefined).join(": "),
    );
}

export function entryWords({ key, matched, why }: EntryTrace): string {
  return `${JSON.stringify(key)} ${matched ? "fits" : "doesn't fit"}: ${why}`;
}

export function hostWords({ url, role, capabilities, notes }: HostTrace): string {
  const able = role === "mirror" ? `; for ${capabilities.join(", ") || "nothing"}` : "";
  return `${role} ${url}${able}${notes.length === 0 ? "" : ` (${notes.join("; ")})`}`;
}

export function exchangeWords(exchange: ExchangeTrace): string {
  const { method, url, status, problem, milliseconds, authorization } = exchange;
  const as = authorization === "none" ? "" : ` with ${authorization}`;
  return `${method} ${url}${as} → ${status ?? problem ?? "no answer"} in ${formatDuration(milliseconds)}`;
}

/** What an answer said besides its status. */
export function exchangeNotes(exchange: ExchangeTrace): readonly string[] {
  const { challenge, scopesAsked = [], scopesGranted, redirect, rateLimit, digest } = exchange;
  const asks =
    challenge &&
    `asks for ${challenge.scheme}${challenge.realm === undefined ? "" : ` from ${challenge.realm}`}${challenge.service === undefined ? "" : ` for service ${challenge.service}`}${challenge.scope === undefined ? "" : `, scope ${challenge.scope}`}${challenge.error === undefined ? "" : ` (${challenge.error})`}`;
  return [
    asks,
    scopesAsked.length === 0 ? undefined : `scopes asked: ${scopesAsked.join(" ")}`,
    scopesGranted && `scopes granted: ${scopesGranted.join(" ") || "none"}`,
    redirect && `sends to ${redirect}`,
    rateLimit,
    digest && `is ${digest}`,
  ].filter((note) => note !== undefined);
}

export function plannedWords({ as, method, url }: PlannedRequest): string {
  return `${method} ${url}, as ${as}; then for a token where it is asked for, and for the manifest and its config`;
}

const LAYERS: Readonly<Record<LayerTrace["state"], string>> = {
  present: "on the node",
  "to-fetch": "to fetch",
  "not-at-registry": "not at the registry",
  untold: "to fetch; the registry doesn't say whether it has it",
};

export function contentWords({ content }: ImageTrace): readonly string[] {
  if (content === undefined) return [];
  const { digest, mediaType, manifest, platformsOffered, artifact, platform, layers, size, missing } =
    content;
  const there = layers.filter(({ state }) => state === "present").length;
  return [
    `${digest}, ${mediaType}`,
    ...(platformsOffered.length === 0 ? [] : [`it offers ${platformsOffered.join(", ")}`]),
    ...(manifest === undefined || manifest === digest ? [] : [`chosen: ${manifest}`]),
    ...(artifact === undefined ? [] : [`no image, but an artifact: its config is ${artifact}`]),
    ...(platform === undefined ? [] : [`made for ${platform}`]),
    ...(layers.length === 0
      ? []
      : [
          `${layers.length} ${layers.length === 1 ? "layer" : "layers"}, ${there} on the node; ${formatBytes(size)} in all, ${formatBytes(missing)} to fetch`,
        ]),
    ...layers.map(
      ({ digest: layer, size: bytes, state }) => `layer ${layer}, ${formatBytes(bytes)}: ${LAYERS[state]}`,
    ),
  ];
}

export function observedWords({ observed }: ImageTrace): readonly string[] {
  if (observed === undefined) return [];
  const { backOff, verdict, message, events } = observed;
  return [
    verdict,
    ...(message === undefined ? [] : [message]),
    ...(backOff === undefined ? [] : [backOffWords(backOff)]),
    ...events.map(
      (event) =>
        `${event.last ?? ""} ${event.type} ${event.reason}${event.count > 1 ? ` ×${event.count}` : ""}: ${event.message}`,
    ),
  ];
}

function backOffWords({
  failures,
  delaySeconds,
  nextAttempt,
}: NonNullable<NonNullable<ImageTrace["observed"]>["backOff"]>): string {
  const count = `${failures} ${failures === 1 ? "failure" : "failures"} so far`;
  return nextAttempt === undefined
    ? `at least ${count}, so up to ${delaySeconds} s between attempts`
    : `${count}, so ${delaySeconds} s between attempts; the next is due at ${nextAttempt}`;
}
