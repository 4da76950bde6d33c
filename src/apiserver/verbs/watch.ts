/**
 * A stream of what happens to a collection. It begins with what is there, or after a revision the client knows;
 * from then on every change of the storage comes by once, in order, and is written down once for all who watch.
 */
import { failure, type KubernetesObject, StatusError } from "../../kubernetes/index.ts";
import { withRevision } from "../storage/encode-object.ts";
import { StorageError } from "../storage/errors.ts";
import type { Change, ChangeType, StoredObject } from "../storage/storage.ts";
import type { ApiCall, ApiContext } from "./context.ts";
import { matcherFor, type Matcher } from "./list.ts";
import { storageName } from "./names.ts";
import type { ListOptions } from "./options.ts";
import { awaitRevision, parseRevision } from "./revision.ts";
import { WatchOutput } from "./watch-output.ts";

/** How events look to one client. */
export interface WatchFormat {
  /** Equal keys mean equal bytes, which are then made once; absent where no two clients get the same. */
  readonly key: string | undefined;
  encode(type: ChangeType, stored: StoredObject): string;
  bookmark(revision: number, initialEventsEnd: boolean): string;
  failure(error: StatusError): string;
}

/** Clients hear from us now and then, and so can resume from a place that isn't long ago. */
const BOOKMARK_INTERVAL = 60_000;
/** Where the client names no time: between half an hour and an hour, so that they don't all come back at once. */
const MIN_TIMEOUT = 30 * 60_000;
const CHANGES_AT_ONCE = 500;

const encoded = new WeakMap<StoredObject, Map<string, Uint8Array>>();

export interface WatchInput {
  readonly options: ListOptions;
  readonly format: WatchFormat;
  /** Ends the stream, with a last bookmark for those who want them. */
  readonly closing: AbortSignal;
  /** Told once, when the stream ends for whatever reason. */
  readonly onEnd?: (() => void) | undefined;
}

/** @throws StatusError for selectors and versions that make no sense */
export function watchObjects(
  context: ApiContext,
  call: ApiCall,
  input: WatchInput,
): ReadableStream<Uint8Array> {
  const matches = matcherFor(context, call, input.options);
  const version = input.options.resourceVersion;
  const known = version === "" ? 0 : parseRevision(version);
  const watch = new Watch(context, call, { ...input, matches });
  return watch.start(known === 0 ? undefined : known);
}

class Watch {
  readonly #context: ApiContext;
  readonly #call: ApiCall;
  readonly #input: WatchInput & { readonly matches: Matcher | undefined };
  readonly #output: WatchOutput;
  readonly #resource: string;
  /** Everything up to here was told. */
  #told = 0;
  /** Changes that came while the beginning was being told. */
  #waiting: Change[] | undefined = [];

  constructor(
    context: ApiContext,
    call: ApiCall,
    input: WatchInput & { readonly matches: Matcher | undefined },
  ) {
    this.#context = context;
    this.#call = call;
    this.#input = input;
    this.#resource = storageName(call.resource);
    this.#output = new WatchOutput();
  }

  start(known: number | undefined): ReadableStream<Uint8Array> {
    const output = this.#output;
    if (this.#input.onEnd !== undefined) output.onEnd(this.#input.onEnd);
    output.onEnd(this.#context.storage.subscribe((changes) => this.#receive(changes)));
    const onAbort = (): void => output.end();
    this.#call.signal.addEventListener("abort", onAbort, { once: true });
    output.onEnd(() => this.#call.signal.removeEventListener("abort", onAbort));
    const onClosing = (): void => {
      this.#bookmark(false);
      output.end();
    };
    this.#input.closing.addEventListener("abort", onClosing, { once: true });
    output.onEnd(() => this.#input.closing.removeEventListener("abort", onClosing));
    if (this.#call.signal.aborted || this.#input.closing.aborted) output.end();
    else void this.#run(known);
    return output.stream;
  }

  async #run(known: number | undefined): Promise<void> {
    try {
      await this.#begin(known);
      const waiting = this.#waiting ?? [];
      this.#waiting = undefined;
      this.#receive(waiting);
      await this.#keepTime();
    } catch (error) {
      if (this.#output.ended) return;
      this.#output.write(this.#input.format.failure(toStatus(error, known)));
      this.#output.end();
    }
  }

  async #begin(known: number | undefined): Promise<void> {
    const { options } = this.#input;
    const { storage } = this.#context;
    // Who asks for no initial events starts from now; who asks for them gets them whatever version it knows.
    const initial = options.sendInitialEvents ?? known === undefined;
    if (!initial) {
      // What lies ahead is waited for, in silence, for as long as the watch lasts.
      this.#told = known ?? storage.revision;
      for (;;) {
        const changes = await storage.listChanges(this.#told, CHANGES_AT_ONCE);
        if (changes.length === 0) return;
        this.#tell(changes);
      }
    }
    if (known !== undefined) await awaitRevision(this.#context, known, this.#output.signal);
    const { namespace } = this.#call;
    const { items, revision } = await storage.list({ resource: this.#resource, namespace });
    for (const one of items) {
      if (this.#input.matches?.(one.object) ?? true) this.#write("ADDED", one);
    }
    this.#told = revision;
    if (options.sendInitialEvents === true) this.#bookmark(true);
  }

  /** Bookmarks now and then, and the end when the client's time is up. */
  async #keepTime(): Promise<void> {
    const { clock, random } = this.#context;
    const { timeoutSeconds } = this.#input.options;
    const length =
      timeoutSeconds === undefined || timeoutSeconds <= 0
        ? MIN_TIMEOUT * (1 + random())
        : timeoutSeconds * 1000;
    const end = clock.now() + length;
    for (;;) {
      const left = end - clock.now();
      if (left <= 0) break;
      await clock.wait(Math.min(left, BOOKMARK_INTERVAL), this.#output.signal);
      this.#bookmark(false);
    }
    this.#output.end();
  }

  #receive(changes: readonly Change[]): void {
    if (this.#waiting === undefined) this.#tell(changes);
    else this.#waiting.push(...changes);
  }

  #tell(changes: readonly Change[]): void {
    const { namespace } = this.#call;
    for (const change of changes) {
      const { key, revision } = change.stored;
      if (revision <= this.#told) continue;
      this.#told = revision;
      if (key.resource !== this.#resource) continue;
      if (namespace !== "" && key.namespace !== namespace) continue;
      this.#tellOne(change);
    }
  }

  /** To who watches a selection, what enters it is added and what leaves it is deleted. */
  #tellOne(change: Change): void {
    const { type, stored, previous } = change;
    const { matches } = this.#input;
    if (matches === undefined) return this.#write(type, stored);
    const before = previous !== undefined && matches(previous.object);
    const after = type !== "DELETED" && matches(stored.object);
    if (after) return this.#write(before ? "MODIFIED" : "ADDED", stored);
    if (!before) return;
    this.#write("DELETED", type === "DELETED" ? stored : asLeft(previous, stored.revision));
  }

  #write(type: ChangeType, stored: StoredObject): void {
    const { format } = this.#input;
    if (format.key === undefined) return this.#output.write(format.encode(type, stored));
    let forms = encoded.get(stored);
    if (forms === undefined) encoded.set(stored, (forms = new Map()));
    const key = `${type} ${format.key}`;
    let bytes = forms.get(key);
    if (bytes === undefined) forms.set(key, (bytes = Buffer.from(format.encode(type, stored), "utf8")));
    this.#output.write(bytes);
  }

  #bookmark(initialEventsEnd: boolean): void {
    if (!this.#input.options.allowWatchBookmarks || this.#output.ended) return;
    // Until the beginning is told there is no place to resume from.
    if (this.#waiting !== undefined && !initialEventsEnd) return;
    const { revision: newest } = this.#context.storage;
    // Nor is there one before what the client knows already.
    if (newest < this.#told) return;
    const revision = initialEventsEnd ? this.#told : newest;
    this.#output.write(this.#input.format.bookmark(revision, initialEventsEnd));
  }
}

/** The last state that was selected, at the revision at which it ceased to be. */
function asLeft(previous: StoredObject, revision: number): StoredObject {
  const object: KubernetesObject = withRevision(previous.object, String(revision));
  return { key: previous.key, revision, object, text: JSON.stringify(object) };
}

function toStatus(error: unknown, known: number | undefined): StatusError {
  if (error instanceof StatusError) return error;
  if (error instanceof StorageError && error.code === "REVISION_COMPACTED") {
    return failure("Expired", `too old resource version: ${known} (${error.oldest})`);
  }
  return failure("InternalError", "Internal error occurred: the watch failed");
}
