/**
 * The node's own credentials, asked as the node asks for them, with an account of each question: its file first, then
 * its exec providers, then whatever else it was given.
 */
import {
  type CredentialCandidate,
  type CredentialProviders,
  type ImageKeyring,
  Keyring,
  type KeyringAnswer,
  type LookupOptions,
  findMismatch,
  type NodeSearch,
  parseTarget,
  type PodIdentity,
  type ProgramResult,
  type ProviderConfig,
  type Provision,
  type RunProgram,
  toCandidate,
  type TrackedCredential,
} from "../../credentials/index.ts";
import { messageOf } from "../message-of.ts";
import type { CredentialSourceTrace, EntryTrace, ProviderRunTrace } from "../trace.ts";
import { traceEntry } from "./entry-words.ts";
import type { TokenRequests, TokenVerdict } from "./token-requests.ts";

export interface NodeSources {
  /** Looks for the node's file. */
  readonly files?: (() => Promise<NodeSearch>) | undefined;
  readonly providers?: NodeProviders | undefined;
  /** Further sources, each under a name for people. */
  readonly others?: readonly { readonly label: string; readonly keyring: ImageKeyring }[] | undefined;
  /** What stands for a credential of these; {@link toCandidate} by default. */
  readonly candidateOf?: ((credential: TrackedCredential) => CredentialCandidate | undefined) | undefined;
}

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

/** Runs programs, and remembers how each went. */
export class ProviderRuns {
  readonly #run: RunProgram;
  readonly #now: () => number;
  readonly #last = new Map<string, ProviderRunTrace>();

  constructor(run: RunProgram, now: () => number) {
    this.#run = run;
    this.#now = now;
  }

  readonly run: RunProgram = async (command, input, options): Promise<ProgramResult> => {
    const started = this.#now();
    const note = (exit: number | null): void => {
      const milliseconds = Math.round(this.#now() - started);
      this.#last.set(nameOf(command[0]), { argv: command, exit, milliseconds });
    };
    try {
      const result = await this.#run(command, input, options);
      note(result.code);
      return result;
    } catch (error) {
      note(null);
      throw error;
    }
  };

  find(provider: string): ProviderRunTrace | undefined {
    return this.#last.get(provider);
  }
}

/** Of one Pod's lookups. */
export class TracedSources implements ImageKeyring {
  readonly #sources: NodeSources;
  readonly #pod: PodIdentity;
  readonly #track: boolean;
  /** Without a network no program is run: what it would say, it would learn from others. */
  readonly #offline: boolean;
  #traces: readonly CredentialSourceTrace[] = [];
  #found: readonly TrackedCredential[] = [];

  constructor(
    sources: NodeSources,
    options: { readonly pod: PodIdentity; readonly track: boolean; readonly offline: boolean },
  ) {
    this.#sources = sources;
    this.#pod = options.pod;
    this.#track = options.track;
    this.#offline = options.offline;
  }

  /** Of the last lookup. */
  get traces(): readonly CredentialSourceTrace[] {
    return this.#traces;
  }

  get found(): readonly TrackedCredential[] {
    return this.#found;
  }

  async lookup(image: string, options: LookupOptions = {}): Promise<KeyringAnswer> {
    const answers = [
      await this.#lookInFiles(image),
      ...(await this.#askProviders(image, options)),
      ...(await this.#askOthers(image, options)),
    ];
    this.#traces = answers.flatMap(({ trace }) => trace);
    const credentials = answers.flatMap((answer) => answer.credentials);
    this.#found = credentials;
    return { credentials, found: credentials.length > 0 };
  }

  async #lookInFiles(image: string): Promise<Looked> {
    const search = await this.#sources.files?.();
    if (search === undefined) return { trace: [], credentials: [] };
    const { found } = search;
    const invalid = search.searched.filter(({ problem }) => problem === "invalid");
    const broken = invalid.map(({ path }) => ({
      kind: "file" as const,
      label: path,
      state: "broken" as const,
      detail: "it can't be read as a document of credentials, and is passed over",
      entries: [],
    }));
    if (found === undefined) {
      const places = search.searched.map(({ path }) => path).join(", ");
      const none: CredentialSourceTrace = {
        kind: "file",
        label: "the node's files",
        state: "empty",
        detail: `there is none of ${places}`,
        entries: [],
      };
      return { trace: [...broken, ...(broken.length === 0 ? [none] : [])], credentials: [] };
    }
    const keyring = new Keyring({ track: this.#track });
    keyring.add(found.document, { kind: "file", label: found.path });
    const { verdicts, credentials } = keyring.explain(image);
    const entries = verdicts.map((verdict) => traceEntry(verdict, image));
    const trace = { kind: "file", label: found.path, state: stateOf(entries, credentials), entries } as const;
    return { trace: [...broken, trace], credentials };
  }

  async #askProviders(image: string, options: LookupOptions): Promise<readonly Looked[]> {
    const { providers } = this.#sources;
    if (providers === undefined) return [];
    const { registered, configs } = providers;
    if (this.#offline || registered === undefined) {
      return configs.map((config) => ({ trace: [this.#wouldAsk(config, image)], credentials: [] }));
    }
    const ofPod = registered.forPod(this.#pod);
    const provisions = await ofPod.provide(image, options);
    const trace = configs.map((config) => this.#traceProvider(config, image, provisions.get(config.name)));
    return [{ trace, credentials: ofPod.keyringOf(provisions).lookup(image).credentials }];
  }

  #wouldAsk(config: ProviderConfig, image: string): CredentialSourceTrace {
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

  /** It can't be run as the node runs it, so nothing follows from what it says. */
  #wantsToken(config: ProviderConfig): boolean {
    return config.tokenAttributes !== undefined && this.#sources.providers?.tokens === false;
  }

  #tokenVerdict({ tokenAttributes }: ProviderConfig): TokenVerdict | undefined {
    const { namespace, serviceAccountName: name } = this.#pod;
    const audience = tokenAttributes?.serviceAccountTokenAudience;
    if (audience === undefined) return undefined;
    return this.#sources.providers?.requests?.find({ namespace, name }, audience);
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
    const run = this.#sources.providers?.runs.find(config.name);
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

  async #askOthers(image: string, options: LookupOptions): Promise<readonly Looked[]> {
    const looked: Looked[] = [];
    for (const { label, keyring } of this.#sources.others ?? []) {
      const base = { kind: "other", label, entries: [] } as const;
      if (this.#offline) {
        looked.push({
          trace: [{ ...base, state: "not-asked", detail: "it would be asked" }],
          credentials: [],
        });
        continue;
      }
      try {
        const { credentials } = await keyring.lookup(image, options);
        const state = credentials.length > 0 ? "matched" : "not-matched";
        looked.push({ trace: [{ ...base, state }], credentials });
      } catch (error) {
        options.signal?.throwIfAborted();
        looked.push({ trace: [{ ...base, state: "failed", detail: messageOf(error) }], credentials: [] });
      }
    }
    return looked;
  }
}

interface Looked {
  readonly trace: readonly CredentialSourceTrace[];
  readonly credentials: readonly TrackedCredential[];
}

export function stateOf(
  entries: readonly EntryTrace[],
  credentials: readonly unknown[],
): "matched" | "not-matched" | "empty" {
  if (credentials.length > 0) return "matched";
  return entries.length === 0 ? "empty" : "not-matched";
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

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

export function candidateOf(
  sources: NodeSources,
  credential: TrackedCredential,
): CredentialCandidate | undefined {
  return sources.candidateOf?.(credential) ?? toCandidate(credential);
}
