/** One container's image, taken the way the node takes it, with an account of everything. */
import { ClientError, type HostResolver, type RegistryHost } from "../../client/index.ts";
import { type PodIdentity, type PullSecret, secretsKeyring } from "../../credentials/index.ts";
import type { TrackedCredential } from "../../credentials/index.ts";
import { type AccessKeeper, type EnsureOutcome, ImageManager } from "../../images/index.ts";
import { type Reference, repositoryName } from "../../reference/index.ts";
import { DrayError } from "../../errors.ts";
import { isDenial } from "../causes/classify-denial.ts";
import { messageOf } from "../message-of.ts";
import type {
  AccessTrace,
  AttemptTrace,
  CredentialsTrace,
  HostTrace,
  ImageTrace,
  OutcomeTrace,
} from "../trace.ts";
import type { PolicyTrace, SlotTrace } from "../trace.ts";
import type { Situation } from "../world/situation.ts";
import type { Conversation } from "./conversation.ts";
import { NotAskedError, type DryRuntime } from "./dry-runtime.ts";
import { expiryOf } from "./expiry.ts";
import { faultOf, isBlank } from "./login-faults.ts";
import { planRequests } from "./plan-requests.ts";
import { TracedSources } from "./node-sources.ts";
import type { Redactor } from "../../internal/redactor.ts";
import { type NamedSecret, traceSecrets } from "./secret-sources.ts";
import { traceContent } from "./trace-content.ts";
import { traceName } from "./trace-name.ts";

/** What the images of one Pod on one node have in common. */
export interface PodReplay {
  readonly situation: Situation;
  readonly runtime: DryRuntime;
  readonly conversation: Conversation | undefined;
  readonly hosts: HostResolver;
  /** What the resolver left out, in sentences. */
  readonly hostNotes: readonly string[];
  readonly access: AccessKeeper | undefined;
  readonly redactor: Redactor;
  readonly identity: PodIdentity;
  readonly secrets: readonly NamedSecret[];
  readonly has: ((digest: string) => Promise<boolean>) | undefined;
  readonly signal: AbortSignal | undefined;
}

export interface WantedImage {
  readonly slot: SlotTrace;
  readonly image: string;
  readonly policy: PolicyTrace;
}

export type ReplayedImage = Omit<ImageTrace, "causes" | "observed">;

export async function explainImage(wanted: WantedImage, replay: PodReplay): Promise<ReplayedImage> {
  const { situation, runtime, signal } = replay;
  const { trace: name, reference } = traceName(wanted.image);
  const sources = tracedSources(replay);
  runtime.begin();
  const outcome = await ensure(wanted, replay, sources);
  signal?.throwIfAborted();
  const credentials = traceCredentials(outcome, { wanted, reference, sources, replay });
  const hosts = reference === undefined ? [] : await traceHosts(reference, replay);
  if (outcome.state === "present" && reference !== undefined) await compareTag(reference, replay, sources);
  const content = await traceContent(runtime, {
    rate: situation.rate,
    has: replay.has,
    head: replay.conversation !== undefined,
    signal,
  });
  const access = accessOf(outcome);
  const { decision } = outcome;
  const traced = traceOutcome(outcome, {
    content,
    presence: runtime.presence.state,
    image: wanted.image,
    blind: isBlind(credentials) && runtime.attempts.some(wasRefused),
  });
  return {
    slot: wanted.slot,
    name,
    policy: wanted.policy,
    presence: runtime.presence,
    ...(access !== undefined && { access }),
    credentials,
    hosts,
    attempts: runtime.attempts,
    ...(outcome.state === "failed" &&
      outcome.cause instanceof NotAskedError &&
      reference !== undefined && { planned: planRequests(reference, { hosts, order: credentials.order }) }),
    ...(content !== undefined && { content }),
    ...(decision !== undefined && { decision: { action: decision.action, because: decision.because } }),
    outcome: traced,
  };
}

function tracedSources({ situation, identity, conversation }: PodReplay): TracedSources {
  return new TracedSources(situation.sources, {
    pod: identity,
    track: situation.ensureSecretPulled ?? true,
    offline: conversation === undefined,
  });
}

async function ensure(
  { slot, image, policy }: WantedImage,
  replay: PodReplay,
  sources: TracedSources,
): Promise<EnsureOutcome> {
  const { situation, runtime, identity, access, signal } = replay;
  const manager = new ImageManager({
    runtime,
    now: situation.now,
    keyring: () => sources,
    access,
    ensureSecretPulled: situation.ensureSecretPulled,
    // Explaining many Pods is no storm of pulls.
    rate: { qps: 0, burst: 0 },
  });
  return await manager.ensure({
    image,
    policy: policy.value,
    // Each container for itself: a second one of the same image would only be told of the first one's back-off.
    podUid: `${identity.uid}/${slot.kind}/${slot.name}`,
    pod: identity,
    pullSecrets: foundSecrets(replay.secrets),
    signal,
  });
}

function foundSecrets(secrets: readonly NamedSecret[]): readonly PullSecret[] {
  return secrets.flatMap(({ seen }) => (seen.state === "found" ? [seen.value] : []));
}

function accessOf({ decision }: EnsureOutcome): AccessTrace | undefined {
  if (decision === undefined || !("access" in decision) || decision.access === undefined) return undefined;
  const { mustPull, because, verification } = decision.access;
  return { mustPull, because, ...(verification !== undefined && { verification: verification.because }) };
}

function traceCredentials(
  outcome: EnsureOutcome,
  work: {
    readonly wanted: WantedImage;
    readonly reference: Reference | undefined;
    readonly sources: TracedSources;
    readonly replay: PodReplay;
  },
): CredentialsTrace {
  const { reference, sources, replay } = work;
  const { runtime, secrets, redactor } = replay;
  const image = reference && repositoryName(reference);
  const traces = [...traceSecrets(secrets, image), ...sources.traces];
  for (const token of replay.situation.sources.providers?.requests?.issued ?? [])
    redactor.add(token.reveal());
  const order = (runtime.tried ?? []).map((credential) => {
    redactor.addLogin(credential.username, credential.password);
    const expires = expiryOf(credential.password.reveal());
    const { origin, username } = credential;
    const fault = faultOf(credential);
    return {
      label: origin.label,
      username,
      ...(expires !== undefined && { expires }),
      ...(fault !== undefined && { fault, blank: isBlank(credential) }),
    };
  });
  const broken = traces.find(({ kind, state }) => kind === "secret" && state === "broken");
  const failed = outcome.state === "failed" && runtime.tried === undefined && broken !== undefined;
  return {
    state: failed ? "failed" : runtime.tried === undefined ? "not-needed" : "looked-up",
    ...(failed && { problem: outcome.message }),
    sources: traces,
    order,
  };
}

async function traceHosts({ domain }: Reference, replay: PodReplay): Promise<readonly HostTrace[]> {
  let hosts: readonly RegistryHost[];
  try {
    hosts = await replay.hosts.hosts(domain, { signal: replay.signal });
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    return [{ url: domain, capabilities: [], role: "registry", notes: [messageOf(error)] }];
  }
  return hosts.map((host) => {
    const { scheme, path, capabilities, upstream, tls, headers, httpFallback } = host;
    const notes = [
      ...(tls.skipVerify === true ? ["its certificate isn't checked"] : []),
      ...((tls.ca?.length ?? 0) > 0 ? ["further authorities are trusted"] : []),
      ...((tls.client?.length ?? 0) > 0 ? ["a client certificate is shown"] : []),
      ...(Object.keys(headers).length > 0 ? [`headers are added: ${Object.keys(headers).join(", ")}`] : []),
      ...(httpFallback ? ["plain HTTP where it doesn't speak TLS"] : []),
    ];
    for (const value of Object.values(headers).flat()) replay.redactor.add(value);
    const role = upstream ? "registry" : "mirror";
    return { url: plainUrl(`${scheme}://${host.host}${path}`), capabilities: [...capabilities], role, notes };
  });
}

/** As requests spell it. */
function plainUrl(url: string): string {
  return URL.canParse(url) ? new URL(url).href.replace(/\/$/, "") : url;
}

/** An image that is used as it is may have another digest by now: one HEAD tells, and its failure tells nothing. */
async function compareTag(reference: Reference, replay: PodReplay, sources: TracedSources): Promise<void> {
  const { runtime, conversation, signal } = replay;
  if (conversation === undefined || reference.digest !== undefined || runtime.fresh) return;
  if (runtime.presence.digest === undefined) return;
  try {
    const keyring = secretsKeyring(foundSecrets(replay.secrets), sources);
    const { credentials } = await keyring.lookup(repositoryName(reference), { signal });
    const [first] = credentials as readonly (TrackedCredential | undefined)[];
    if (first !== undefined) replay.redactor.addLogin(first.username, first.password);
    await runtime.compare(reference, first, { signal });
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof DrayError)) throw error;
  }
}

/** A mirror that has it not may hide that the registry itself wants to know who asks. */
function wasRefused(attempt: AttemptTrace): boolean {
  if (isDenial(attempt)) return true;
  if (attempt.result === "ok") return false;
  const last = new Map(attempt.exchanges.map((exchange) => [`${exchange.method} ${exchange.url}`, exchange]));
  return [...last.values()].some(
    ({ url, purpose, status }) =>
      purpose === "manifest" && (status === 401 || status === 403) && !new URL(url).searchParams.has("ns"),
  );
}

/** There may be credentials that nobody here could see. */
function isBlind({ sources }: CredentialsTrace): boolean {
  return sources.some(
    ({ kind, state, entries }) =>
      state === "unseen" ||
      (kind === "provider" && state === "not-asked" && entries.some(({ matched }) => matched)),
  );
}

function traceOutcome(
  outcome: EnsureOutcome,
  known: {
    readonly content: ImageTrace["content"];
    readonly presence: ImageTrace["presence"]["state"];
    readonly image: string;
    /** The registry wants to know who asks, and the Pod's own answer couldn't be seen. */
    readonly blind: boolean;
  },
): OutcomeTrace {
  if (outcome.state === "present") return { state: "present", message: outcome.message };
  if (outcome.state === "pulled") {
    const lost = known.content?.layers.find(({ state }) => state === "not-at-registry");
    if (lost === undefined) return { state: "pullable" };
    const message = `content ${lost.digest} of ${JSON.stringify(known.image)} is not at the registry`;
    return { state: "failed", reason: "ErrImagePull", message };
  }
  if (outcome.state !== "failed") return { state: "unknown" };
  if (outcome.cause instanceof NotAskedError) return { state: "unasked" };
  const { reason, message } = outcome;
  const unknown = reason === "ErrImageNeverPull" && known.presence === "unknown";
  return { state: unknown || known.blind ? "unknown" : "failed", reason, message };
}
