/**
 * The two verbs everything speaks: open by descriptor, write by descriptor.
 *
 * Registries, stores, layouts, archives and fakes implement them, so pull, push, mirror, save and load are one
 * `copy()`.
 *
 * The lifecycle of one transfer:
 *
 * 1. A sink is asked to `write(descriptor, source)`. It decides at which byte it needs to begin (0, or where an
 *    interrupted write stopped) and opens the source there, again when the connection breaks and it can go on.
 * 2. `source.open(descriptor, { offset })` answers with a {@link ContentStream} that has not delivered anything.
 * 3. `stream.pump(consume)` delivers the rest of the content in order, once. Each chunk belongs to the source and
 *    is valid only until `consume` returns (or its promise settles): a consumer that keeps bytes copies them. That
 *    is what lets a socket fill one buffer again and again instead of allocating 64 KiB for every read.
 * 4. The sink verifies size and digest over the whole content before anybody can see it.
 */
import type { Descriptor } from "./descriptor.ts";

export interface SignalOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Takes bytes that stay valid only until it returns, or until the promise it returned settles. */
export type ByteConsumer = (chunk: Uint8Array) => void | Promise<void>;

export interface OpenOptions extends SignalOptions {
  /** The first byte wanted, 0 by default. A source that can't seek reads and drops what comes before. */
  readonly offset?: number | undefined;
}

/** One reading of one content, from the requested offset to its end. */
export interface ContentStream {
  /**
   * Delivers every byte in order and resolves at the end. A consumer that throws stops the source and its error is
   * passed on. Call it once.
   */
  pump(consume: ByteConsumer): Promise<void>;
  /** Lets go of sockets and files without reading on. Harmless after the end, and twice. */
  close(): Promise<void>;
}

/** Anything content can be read from. */
export interface ContentSource {
  /**
   * Opens content for reading. Neither size nor digest need to be checked here: whoever reads, verifies.
   *
   * @throws OciError `BLOB_UNKNOWN`, or the source's own error
   */
  open(descriptor: Descriptor, options?: OpenOptions): Promise<ContentStream>;
}

export interface WriteOptions extends SignalOptions {
  /** Told how many bytes of this content are there so far, resumed ones included. Called often; keep it cheap. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
  /** Told instead while somebody else writes this content, and is waited for: how much of it they have. */
  readonly onAwaited?: ((bytes: number) => void) | undefined;
}

/** How a write ended: bytes came over, they were there already, or the other side linked them without a transfer. */
export type WriteOutcome = "written" | "exists" | "mounted";

/** Anything content can be written to. */
export interface ContentSink {
  /** Whether the content is there, complete and verified. */
  has(descriptor: Descriptor, options?: SignalOptions): Promise<boolean>;
  /**
   * Brings content here, reading it from `source` where it isn't here yet. When it resolves, the content is
   * complete, verified and durable; when it throws, nothing new is visible.
   *
   * @throws OciError `SIZE_INVALID` or `DIGEST_INVALID` for wrong bytes, the source's error, or the sink's own
   */
  write(descriptor: Descriptor, source: ContentSource, options?: WriteOptions): Promise<WriteOutcome>;
}

/** Finds what a name stands for: a tag or digest in a repository or layout, an image name in a store. */
export interface Resolver {
  /**
   * @throws OciError `BLOB_UNKNOWN`, or the place's own error, when nothing has that name
   */
  resolve(reference: string, options?: SignalOptions): Promise<Descriptor>;
}

export interface TagOptions extends SignalOptions {
  /** Where the named document can be read when the place needs its bytes again, as registries do. */
  readonly source?: ContentSource | undefined;
}

/** Lets a name point at content; replaces what it pointed at before, atomically. */
export interface Tagger {
  /**
   * Whether `tag` brings the document itself when it is given a `source`, so that writing the document first would be
   * one trip too many. True for registries, where naming a document is sending it.
   */
  readonly tagWrites?: boolean;
  /** The document and everything it needs are already there, except that a place given `source` may fetch it itself. */
  tag(descriptor: Descriptor, reference: string, options?: TagOptions): Promise<void>;
}

/** A place images can be read from. */
export interface ImageSource extends ContentSource, Resolver {}

/** A place images can be written to. */
export interface ImageSink extends ContentSink, Tagger {}
