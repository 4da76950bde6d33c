/** A node's exec providers, run as the node runs them for a Pod, with an account of each. */
import {
  type CredentialProviders,
  findMismatch,
  Keyring,
  type LookupOptions,
  parseTarget,
  type PodIdentity,
  type ProviderConfig,
  type Provision,
  type TrackedCredential,
} from "../../credentials/index.ts";
import type { CredentialSourceTrace, EntryTrace } from "../trace.ts";
import { stateOf, traceEntry } from "./entry-words.ts";
import type { ProviderRuns } from "./provider-runs.ts";
import type { TokenRequests, TokenVerdict } from "./token-requests.ts";

export interface NodeProviders {
  /** Whether they may be given a ServiceAccount's token: one has to be made for that. */
  readonly tokens: boolean;
  /** Those that are made, where the asker makes them. */
  readonly requests?: TokenRequests | undefined;
  /** Undefined where their programs aren't at hand. */
  readonly registered: CredentialProviders | undefined;
  readonly configs: readonly ProviderConfig[];
  readonly runs: ProviderRuns;
}

/** What was found at a place, and how. */
export interface Looked {
  readonly trace: readonly CredentialSourceTrace[];
  readonly credentials: readonly TrackedCredential[];
}

export interface TracedProvidersOptions {
  readonly pod: PodIdentity;
  readonly track: boolean;
  /** Without a network no program is run: what it would say, it would learn from others. */
  readonly offline: boolean;
}

export class TracedProviders {
  readonly #providers: NodeProviders;
  readonly #pod: PodIdentity;
  readonly #track: boolean;
  readonly #offline: boolean;

  constructor(providers: NodeProviders, { pod, track, offline }: TracedProvidersOptions) {
    this.#providers = providers;
    this.#pod = pod;
    this.#track = track;
    this.#offline = offline;
  }

  async ask(image: string, options: LookupOptions): Promise<Looked> {
    const { registered, configs } = this.#providers;
    if (this.#offline || registered === undefined) {
      return { trace: configs.map((config) => wouldAsk(config, image)), credentials: [] };
    }
    const ofPod = registered.forPod(this.#pod);
    const provisions = await ofPod.provide(image, options);
    const trace = configs.map((config) => this.#traceProvider(config, image, provisions.get(config.name)));
    return { trace, credentials: ofPod.keyringOf(provisions).lookup(image).credentials };
  }

  /** It can't be run as the node runs it, so nothing follows from what it says. */
  #wantsToken(config: ProviderConfig): boolean {
    return config.tokenAttributes !== undefined && !this.#providers.tokens;
  }

  #tokenVerdict({ tokenAttributes }: ProviderConfig): TokenVerdict | undefined {
    const { namespace, serviceAccountName: name } = this.#pod;
    const audience = tokenAttributes?.serviceAccountTokenAudience;
    if (audience === undefined) return undefined;
    return this.#providers.requests?.find({ namespace, name }, audience);
  }

  #describeToken(
    { tokenAttributes }: ProviderConfig,
    verdict: TokenVerdict | undefined,
  ): { readonly token?: string } {
    if (verdict?.state !== "made") return {};
    const { namespace, serviceAccountName } = this.#pod;
    const audience = tokenAttributes?.serviceAccountTokenAudience ?? "";
    return {
      token: `given a token of ServiceAccount ${namespace}/${serviceAccountName} for ${JSON.stringify(audience)}, made for this and good for ${verdict.lifetimeSeconds} s`,
    };
  }

  #traceProvider(
    config: ProviderConfig,
    image: string,
    provision: Provision | undefined,
  ): CredentialSourceTrace {
    const label = `credential provider ${config.name}`;
    const base = { kind: "provider", label, name: config.name } as const;
    const verdict = this.#tokenVerdict(config);
    const run = this.#providers.runs.find(config.name);
    const ran = run && {
      run: { ...run, ...describeCache(provision), ...this.#describeToken(config, verdict) },
    };
    if (provision === undefined || provision.reason === "not-matched") {
      const entries = patternsOf(config, image);
      return { ...base, state: "not-matched", detail: "none of its matchImages fits", entries };
    }
    const { reason, problem, document } = provision;
    if (this.#wantsToken(config)) {
      const detail =
        "it wants a token of the ServiceAccount, and explaining makes one only when told to (--service-account-tokens)";
      return { ...base, state: "not-asked", detail, entries: patternsOf(config, image) };
    }
    if (reason === "failed" && verdict?.state === "refused") {
      const detail = `it wants a token of the ServiceAccount, and you may not make one: ${verdict.why}`;
      return { ...base, state: "not-asked", detail, entries: patternsOf(config, image) };
    }
    if (reason === "failed" || reason === "annotation-missing") {
      return { ...base, state: "failed", detail: problem, entries: patternsOf(config, image), ...ran };
    }
    if (reason === "no-service-account") {
      const detail = "it wants a ServiceAccount, and the Pod has none";
      return { ...base, state: "failed", detail, entries: [] };
    }
    const keyring = new Keyring({ track: this.#track });
    keyring.add(document, { kind: "provider", label });
    const { verdicts, credentials } = keyring.explain(image);
    const entries = verdicts.map((verdict) => traceEntry(verdict, image));
    const state = stateOf(entries, credentials);
    const detail = state === "matched" ? {} : { detail: "it ran, and had nothing for this image" };
    return { ...base, state, ...detail, entries, ...ran };
  }
}

function wouldAsk(config: ProviderConfig, image: string): CredentialSourceTrace {
  const entries = patternsOf(config, image);
  const matched = entries.some((entry) => entry.matched);
  return {
    kind: "provider",
    label: `credential provider ${config.name}`,
    name: config.name,
    state: matched ? "not-asked" : "not-matched",
    detail: matched ? `it would be run as ${commandOf(config)}` : "none of its matchImages fits",
    entries,
  };
}

function patternsOf({ matchImages = [] }: ProviderConfig, image: string): readonly EntryTrace[] {
  const target = parseTarget(image);
  return matchImages.map((key) =>
    traceEntry({ key, mismatch: findMismatch(parseTarget(key), target) }, image),
  );
}

function commandOf({ name, args = [] }: ProviderConfig): string {
  return [name, ...args].join(" ");
}

function describeCache(provision: Provision | undefined): { readonly cache?: string } {
  if (provision?.reason === "cached") return { cache: "an answer that is kept was used" };
  const { keep } = provision ?? {};
  if (keep === undefined) return {};
  if (keep.milliseconds === 0) return { cache: "not kept" };
  return { cache: `kept by ${keep.by.toLowerCase()} for ${keep.milliseconds / 1000} s` };
}
