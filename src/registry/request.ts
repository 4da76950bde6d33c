import type { ByteConsumer, ContentStream } from "../oci/index.ts";

/** The bytes that came with a request; nothing is read, and no `100 Continue` sent, before somebody pumps them. */
export interface RequestBody {
  /** What `Content-Length` promised: 0 without a body, `undefined` when only the end will tell. */
  readonly length: number | undefined;
  /** Whether chunks are the consumer's for good, memory and all, and not only until `consume` is done with them. */
  readonly given?: boolean | undefined;
  /**
   * Delivers the bytes in order, each chunk valid until `consume` is done with it. Call it once.
   *
   * @throws RequestAborted when the sender left before the end
   */
  pump(consume: ByteConsumer): Promise<void>;
}

/** One request of the distribution protocol, free of any server's or platform's types. */
export interface RegistryRequest {
  readonly method: string;
  /** Path and query as they were sent: `/v2/app/manifests/1.0?tag=a`. */
  readonly target: string;
  readonly body: RequestBody;
  /** The address it came from, where there is a network. */
  readonly address?: string | undefined;
  /** Whether it came over TLS. */
  readonly secure?: boolean | undefined;
  /** `HTTP/1.1`, `HTTP/2.0`, where there is a network. */
  readonly protocol?: string | undefined;
  /** A header by its lower-case name; several of one name are joined by a comma. */
  header(name: string): string | undefined;
}

/** A body read while it is sent; whoever sends it closes it, sent or not. */
export interface ResponseStream extends ContentStream {
  /** Bytes that `pump` will deliver. */
  readonly length: number;
  /** Whoever the bytes are for has left: a `pump` that waits for more need not wait any longer. */
  cancel?(): void;
}

export interface RegistryResponse {
  readonly status: number;
  /** Names and values in turn, as they go on the wire. */
  readonly headers: readonly string[];
  /** Absent for HEAD, whose `Content-Length` speaks of the body a GET would have had. */
  readonly body?: Uint8Array | ResponseStream | undefined;
}

/** The sender went away in the middle of a body. There is nobody left to answer. */
export class RequestAborted extends Error {
  constructor(options: ErrorOptions = {}) {
    super("Cannot read the request: its sender went away", options);
    this.name = "RequestAborted";
  }
}

/** Reads a whole body of at most `limit` bytes; `undefined` when it is longer. */
export async function readBody(body: RequestBody, limit: number): Promise<Buffer | undefined> {
  if (body.length !== undefined) return body.length > limit ? undefined : readKnown(body, body.length);
  const chunks: Buffer[] = [];
  let size = 0;
  await body.pump((chunk) => {
    size += chunk.length;
    // Past the limit the rest is counted and dropped: the sender hears why instead of meeting a closed door.
    if (size <= limit) chunks.push(Buffer.from(chunk));
    else if (size > 2 * limit) throw new RequestAborted();
  });
  return size > limit ? undefined : Buffer.concat(chunks, size);
}

async function readKnown(body: RequestBody, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  let size = 0;
  await body.pump((chunk) => {
    if (size + chunk.length > length) throw new RequestAborted();
    bytes.set(chunk, size);
    size += chunk.length;
  });
  if (size !== length) throw new RequestAborted();
  return bytes;
}
