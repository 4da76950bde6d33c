/**
 * The one way this room speaks HTTP. A transport sends exactly one request and returns its answer: it never
 * follows redirects, retries, or adds credentials. Those rules stand above it, once, for every transport.
 */
import type { ByteConsumer } from "../oci/index.ts";

/** How to trust a server and who to be to it. */
export interface TlsSettings {
  /** PEM texts, in addition to the system's. */
  readonly ca?: readonly string[] | undefined;
  readonly client?: readonly { readonly cert: string; readonly key: string }[] | undefined;
  readonly skipVerify?: boolean | undefined;
}

/** Produces the body anew on each attempt; chunks are valid only until `consume` returns or settles. */
export interface HttpBodySource {
  /** Bytes, when known; without it the body goes chunked. */
  readonly length?: number | undefined;
  pump(consume: ByteConsumer): Promise<void>;
}

export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | HttpBodySource | undefined;
  readonly tls?: TlsSettings | undefined;
  /** Milliseconds to connect, TLS included; 30 s by default. */
  readonly dialTimeout?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpResponse {
  readonly status: number;
  readonly url: URL;
  /** The address that answered, when the transport knows it. */
  readonly peer?: string | undefined;
  /** The first value. Names in lower case. */
  header(name: string): string | undefined;
  /** Every field line of that name, in order, unjoined. */
  headers(name: string): readonly string[];
  /** Delivers the body once; chunks are valid only until `consume` returns or settles. */
  pump(consume: ByteConsumer): Promise<void>;
  /** Reads the body into memory, at most `limit` bytes; more is an error. */
  bytes(limit: number): Promise<Uint8Array>;
  /** Gives the body up: drains a little to keep the connection, else closes it. */
  discard(): Promise<void>;
}

/** @throws ClientError with a network code: `NETWORK_*`, `TLS_*`, or the signal's reason when aborted */
export type HttpSend = (request: HttpRequest) => Promise<HttpResponse>;
