/** From what was seen of an image to what it means: pure, the most telling first. */
import type { PullSecret } from "../../credentials/index.ts";
import { hostPlatformMatcher, parsePlatform } from "../../oci/index.ts";
import type { Finding, ImageTrace, PodTrace } from "../trace.ts";
import { changeImage, lookAt, nameSecret, shell, startAnew } from "./advice.ts";
import { classifyAttempt, classifyMirrors, classifyUpstream, placeOf } from "./classify-attempts.ts";
import { classifyDenial, type DenialContext, foresee, isDenial, wantingOf } from "./classify-denial.ts";
import { classifyMismatches, classifySources, type SourceContext } from "./classify-sources.ts";
import { causeOfText, denialOfText, dependsOnPlace, isBeforeAsking, isNodeOnly } from "./classify-text.ts";
import { isImageReason } from "../world/observe.ts";
import { classifyWords, nodeSays, wordsOf } from "./classify-words.ts";
import { type CauseCode, CAUSES } from "./codes.ts";
import { finding, orderFindings } from "./finding.ts";

export interface ImageContext {
  readonly pod: Omit<PodTrace, "images" | "causes">;
  /** Secrets that might have been meant; asked for only where credentials are in question. */
  readonly others: () => Promise<readonly PullSecret[]>;
  /** All of the Pod's, this one among them. */
  readonly images: readonly ImageTrace[];
  /** What was left out of the configuration of hosts. */
  readonly hostNotes: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export async function classifyImage(image: ImageTrace, context: ImageContext): Promise<readonly Finding[]> {
  const concernsSecrets =
    image.attempts.some(isDenial) ||
    image.outcome.state === "unasked" ||
    image.credentials.sources.some(({ state }) => state !== "matched") ||
    deniedThere(image);
  const others = concernsSecrets ? await context.others() : [];
  const { images, ...rest } = context;
  const repositories = images.filter(({ name }) => name.repository !== undefined).map(placeOf);
  return classify(image, { ...rest, others, repositories, wanting: wantingOf(images) });
}

type Known = Omit<ImageContext, "others" | "images"> & Omit<DenialContext, "severity">;

function classify(image: ImageTrace, known: Known): readonly Finding[] {
  const { name, outcome } = image;
  if (name.problem !== undefined) return ofName(image, known);
  const fault = outcome.state === "present" ? undefined : hostFault(image);
  if (fault !== undefined) {
    const advice = [changeImage(known.pod, image, "REGISTRY/REPOSITORY:TAG")];
    return [finding("NAME_INVALID", "failure", `${image.slot.field} names no registry: ${fault}`, advice)];
  }
  const findings =
    outcome.state === "failed"
      ? ofFailure(image, known)
      : outcome.state === "present" || outcome.state === "pullable"
        ? ofSuccess(image, known)
        : ofUnknown(image, known);
  const template = name.template === undefined ? [] : [changedImage(image, name.template)];
  return orderFindings([...findings, ...classifyMirrors(image, known.hostNotes), ...template]);
}

function ofName(image: ImageTrace, { pod }: Known): readonly Finding[] {
  const { slot, name } = image;
  // The API server refuses this Pod for the very same field.
  if (pod.admission.errors.some(({ field }) => field === slot.field)) return [];
  const guess = guessName(name.written);
  return [
    finding("NAME_INVALID", "failure", `${slot.field} is no image name: ${name.problem ?? ""}`, [
      changeImage(pod, image, guess ?? "REGISTRY/REPOSITORY:TAG"),
    ]),
  ];
}

/** What no host is called, though it may stand in a name. */
function hostFault({ name: { registry = "", written } }: ImageTrace): string | undefined {
  if (registry === "") {
    const [host = ""] = written.split("/");
    return `${JSON.stringify(host)} can't be a host's name, which has letters, digits, dots and hyphens`;
  }
  const [, port] = /:(\d+)$/.exec(registry) ?? [];
  return port !== undefined && Number(port) > 65_535 ? `port ${port} is beyond 65535` : undefined;
}

/** What was probably meant. */
function guessName(written: string): string | undefined {
  const tidy = written
    .trim()
    .replace(/^https?:\/\//, "")
    .replaceAll(/\s+/g, "");
  const [, repository = "", rest = ""] = /^([^:@]*(?::\d+\/[^:@]*)?)(.*)$/.exec(tidy) ?? [];
  const guess = repository.toLowerCase() + rest;
  return guess !== written && /^[a-z0-9][a-z0-9._:/-]*(:[\w][\w.-]*)?$/.test(guess) ? guess : undefined;
}

function ofFailure(image: ImageTrace, known: Known): readonly Finding[] {
  const { outcome, credentials, decision, attempts, content } = image;
  const { pod } = known;
  const sources: SourceContext = { ...known, severity: "failure" };
  if (outcome.reason === "ErrImageNeverPull") return [ofNever(image, known, "failure")];
  if (credentials.state === "failed")
    return classifySources(image, sources).filter(({ code }) => code === "SECRET_BROKEN");
  const lost = content?.layers.find(({ state }) => state === "not-at-registry");
  if (lost !== undefined) {
    const summary = `${placeOf(image)} has the manifest, and not its layer ${lost.digest}`;
    return [finding("CONTENT_MISSING", "failure", summary)];
  }
  const other = attempts
    .filter(({ result }) => result === "failed")
    .filter((attempt) => !isDenial(attempt))
    .flatMap((attempt) => classifyAttempt(attempt, image, pod));
  const denial = attempts.some(isDenial) ? classifyDenial(image, { ...sources, now: known.now }) : [];
  const side = denial.length > 0 ? [] : hidden(image, { ...sources, severity: "risk" });
  const unproven =
    decision?.because === "access-unproven" && denial.length > 0
      ? [
          finding(
            "ACCESS_UNPROVEN",
            "note",
            `${image.name.written} is on the node, pulled by somebody else's credentials`,
          ),
        ]
      : [];
  const upstream = attempts.filter(isDenial).flatMap((attempt) => classifyUpstream(attempt, image));
  const found = [...other, ...denial, ...upstream, ...side, ...unproven];
  if (found.length === 0) return classifyWords(image, known, outcome.message ?? "");
  return besideTheNode(image, known, found);
}

/** What the node was told counts for more than what depends on where one asks from. */
function besideTheNode(image: ImageTrace, known: Known, found: readonly Finding[]): readonly Finding[] {
  const words = wordsOf(image);
  const told = words === "" ? [] : classifyWords(image, known, words);
  const [there] = told.filter(({ severity }) => severity === "failure");
  const ours = found.filter(({ severity }) => severity === "failure");
  if (there === undefined) return found;
  // What is behind it waits until that is mended.
  if (isBeforeAsking(there.code)) return [...told, ...found];
  if (ours.some(({ code }) => alike(code, there.code))) return found;
  if (ours.every(({ code }) => dependsOnPlace(code) || code === "TOKEN_SERVICE_FAILED")) {
    return [
      ...told,
      ...found.map((one): Finding => ({
        ...one,
        severity: "risk",
        summary: `Asked from here: ${one.summary}`,
      })),
    ];
  }
  const summary = `When the node last asked, it was something else (${CAUSES[there.code].title.toLowerCase()}): ${words}`;
  return [...found, finding("NODE_DIFFERS", "note", summary)];
}

/** Words tell denials apart only so far; where one can't get to, they tell very well. */
function alike(one: CauseCode, other: CauseCode): boolean {
  return one === other || (!dependsOnPlace(one) && CAUSES[one].exit === CAUSES[other].exit);
}

/** A registry may say "not found" of what a stranger may not see. */
function hidden(image: ImageTrace, context: SourceContext): readonly Finding[] {
  const notFound = image.attempts.some(({ error }) => error?.status === 404);
  if (!notFound) return classifySources(image, { ...context, severity: "note" });
  return [...classifySources(image, context), ...classifyMismatches(image, context)];
}

function ofNever(image: ImageTrace, { pod }: Known, severity: Finding["severity"]): Finding {
  const { written } = image.name;
  const on = pod.node.name === undefined ? "the node" : `node ${pod.node.name}`;
  if (image.decision?.because === "never-and-unproven") {
    const summary = `${written} is on ${on}, but this Pod shows no credentials that are known to open it (${image.access?.because ?? ""})`;
    return finding("NEVER_NOT_ACCESSIBLE", severity, summary, [
      ...pod.account.pullSecrets.slice(0, 1).flatMap((name) => nameSecret(pod, name)),
      {
        text: "Let the node ask the registry with this Pod's own credentials",
        yaml: "imagePullPolicy: IfNotPresent",
      },
    ]);
  }
  const told = image.observed?.reason === "ErrImageNeverPull" ? "the node says that it isn't" : undefined;
  const unknown = image.presence.state === "unknown" ? (told ?? "nobody knows whether it is") : "it isn't";
  return finding(
    "NEVER_ABSENT",
    severity,
    `${written} may not be pulled (policy Never), and ${unknown} on ${on}`,
    [
      { text: "Let the node pull it", yaml: "imagePullPolicy: IfNotPresent" },
      lookAt(
        "Or bring it there, on the node",
        `ctr -n k8s.io images pull ${shell(image.name.normalised ?? written)}`,
      ),
    ],
  );
}

function ofSuccess(image: ImageTrace, known: Known): readonly Finding[] {
  const { presence, content, policy, outcome, name } = image;
  const { pod } = known;
  const findings: Finding[] = [...ofDisagreement(image, known)];
  const moved = outcome.state === "present" && content !== undefined && presence.digest !== undefined;
  if (moved && content.digest !== presence.digest) {
    const summary = `Tag ${JSON.stringify(name.tag ?? "")} is ${content.digest} now; the node keeps ${presence.digest}, since the policy is ${policy.value}`;
    findings.push(
      finding("TAG_MOVED", "risk", summary, [changeImage(pod, image, `${placeOf(image)}@${content.digest}`)]),
    );
  }
  // A volume may hold anything.
  if (content?.artifact !== undefined && image.slot.kind !== "volume") {
    const summary = `${name.written} is no image: its config is ${content.artifact}, and containers can't be made of that`;
    findings.push(finding("MANIFEST_UNSUPPORTED", "risk", summary));
  }
  const made = content?.platform;
  if (made !== undefined && !fits(made, pod.node.platform)) {
    const summary = `${name.written} is made for ${made}, and the node is ${pod.node.platform}: it comes, and can't run`;
    findings.push(finding("PLATFORM_MISMATCH", "risk", summary));
  }
  const sources = classifySources(image, { ...known, severity: "note" });
  return [...findings, ...sources];
}

function fits(made: string, node: string): boolean {
  try {
    return hostPlatformMatcher(parsePlatform(node)).matches(parsePlatform(made));
  } catch {
    return true;
  }
}

/** The image would come, and the cluster says that it doesn't. */
function ofDisagreement(image: ImageTrace, { pod }: Known): readonly Finding[] {
  const { observed, name, outcome, content } = image;
  if (observed?.state !== "waiting") return [];
  const untold = content?.layers.some(({ state }) => state === "untold") === true;
  const open = untold && outcome.state === "pullable" && isImageReason(observed.reason);
  if (observed.agrees !== false && !open) return [];
  const words = wordsOf(image);
  const code = causeOfText(words);
  const says = (told: CauseCode): Finding => nodeSays(told, "failure", { image, pod, words });
  // Nobody but the node has tried to fetch the layers.
  if (open && code === "CONTENT_MISSING") return [says(code)];
  if (code !== undefined && isNodeOnly(code)) return [says(code)];
  const next = observed.backOff?.nextAttempt;
  const again = next === undefined ? "" : `; the next attempt is due at ${next}`;
  if (code !== undefined && dependsOnPlace(code)) {
    const summary = `Asked from here ${name.written} comes; the node says (${CAUSES[code].title.toLowerCase()}): ${words}${again}`;
    return [finding("NODE_DIFFERS", "risk", summary, [startAnew(pod)])];
  }
  const summary = `${name.written} would come now, and the node waits with ${observed.reason ?? "a back-off"}${again}`;
  return [finding("BACKOFF_LINGERING", "risk", summary, [startAnew(pod)])];
}

/** Nobody was asked, or too little was seen: what the cluster says, and what is plain to see. */
function ofUnknown(image: ImageTrace, known: Known): readonly Finding[] {
  const { outcome } = image;
  const context = { ...known, severity: "risk" } as const;
  const never = outcome.reason === "ErrImageNeverPull" ? [ofNever(image, known, "risk")] : [];
  const denied = outcome.state === "unknown" && image.attempts.some(isDenial);
  const asStranger = denied ? classifyDenial(image, context) : classifySources(image, context);
  const words = wordsOf(image);
  const seen = words === "" ? [] : classifyWords(image, known, words);
  const ahead = outcome.state === "unasked" && words === "" ? foresee(image, context) : [];
  // Whatever is in doubt here, the node has looked.
  const told = seen.some(({ code }) => never.some((one) => one.code === code));
  const absent = told ? never.map((one): Finding => ({ ...one, severity: "failure" })) : never;
  return [...(told ? [] : seen), ...absent, ...asStranger, ...ahead];
}

function deniedThere(image: ImageTrace): boolean {
  return denialOfText(wordsOf(image)) !== undefined;
}

function changedImage({ name, slot }: ImageTrace, template: string): Finding {
  const summary = `${slot.field} is ${JSON.stringify(name.written)}, where the template has ${JSON.stringify(template)}`;
  return finding("IMAGE_CHANGED", "note", summary, [
    lookAt("See who may change Pods", "kubectl get mutatingwebhookconfigurations"),
  ]);
}
