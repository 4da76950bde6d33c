/**
 * The node's own credentials, asked as the node asks for them, with an account of each question: its file first, then
 * its exec providers, then whatever else it was given.
 */
import {
  type CredentialCandidate,
  type ImageKeyring,
  Keyring,
  type KeyringAnswer,
  type LookupOptions,
  type NodeSearch,
  toCandidate,
  type TrackedCredential,
} from "../../credentials/index.ts";
import { messageOf } from "../message-of.ts";
import type { CredentialSourceTrace } from "../trace.ts";
import { stateOf, traceEntry } from "./entry-words.ts";
import {
  type Looked,
  type NodeProviders,
  TracedProviders,
  type TracedProvidersOptions,
} from "./traced-providers.ts";

export interface NodeSources {
  /** Looks for the node's file. */
  readonly files?: (() => Promise<NodeSearch>) | undefined;
  readonly providers?: NodeProviders | undefined;
  /** Further sources, each under a name for people. */
  readonly others?: readonly { readonly label: string; readonly keyring: ImageKeyring }[] | undefined;
  /** What stands for a credential of these; {@link toCandidate} by default. */
  readonly candidateOf?: ((credential: TrackedCredential) => CredentialCandidate | undefined) | undefined;
}

/** Of one Pod's lookups. */
export class TracedSources implements ImageKeyring {
  readonly #sources: NodeSources;
  readonly #providers: TracedProviders | undefined;
  readonly #track: boolean;
  readonly #offline: boolean;
  #traces: readonly CredentialSourceTrace[] = [];
  #found: readonly TrackedCredential[] = [];

  constructor(sources: NodeSources, options: TracedProvidersOptions) {
    const { providers } = sources;
    this.#sources = sources;
    this.#providers = providers && new TracedProviders(providers, options);
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
    const answers = [await this.#lookInFiles(image)];
    if (this.#providers !== undefined) answers.push(await this.#providers.ask(image, options));
    answers.push(...(await this.#askOthers(image, options)));
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

export function candidateOf(
  sources: NodeSources,
  credential: TrackedCredential,
): CredentialCandidate | undefined {
  return sources.candidateOf?.(credential) ?? toCandidate(credential);
}
