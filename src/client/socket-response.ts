import type { ByteConsumer } from "../oci/index.ts";
import { ClientError } from "./errors.ts";
import type { HttpRequest, HttpResponse } from "./http.ts";
import type { ResponseHead } from "./response-head.ts";
import type { SocketBody } from "./socket-body.ts";

/** Cheaper than a new connection: what is left of a body is read up to this many bytes. */
const DRAIN_LIMIT = 64 * 1024;

export class SocketResponse implements HttpResponse {
  readonly status: number;
  readonly url: URL;
  readonly peer: string | undefined;
  readonly #head: ResponseHead;
  readonly #body: SocketBody;

  constructor(request: HttpRequest, head: ResponseHead, body: SocketBody, peer: string | undefined) {
    this.status = head.status;
    this.url = request.url;
    this.peer = peer;
    this.#head = head;
    this.#body = body;
  }

  header(name: string): string | undefined {
    return this.#head.fields.get(name)?.[0];
  }

  headers(name: string): readonly string[] {
    return this.#head.fields.get(name) ?? [];
  }

  pump(consume: ByteConsumer): Promise<void> {
    return this.#body.pump(consume);
  }

  bytes(limit: number): Promise<Uint8Array> {
    return collect((consume) => this.#body.pump(consume), limit);
  }

  async discard(): Promise<void> {
    if (this.#body.over) return;
    let left = DRAIN_LIMIT;
    await this.#body
      .pump((chunk) => {
        left -= chunk.length;
        if (left < 0) throw new Error("Not worth reading on");
      })
      .catch(() => {});
  }
}

/**
 * Reads a whole body into memory.
 *
 * @throws ClientError `SIZE_INVALID` beyond `limit` bytes
 */
export async function collect(
  pump: (consume: ByteConsumer) => Promise<void>,
  limit: number,
): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  let length = 0;
  await pump((chunk) => {
    length += chunk.length;
    if (length > limit)
      throw new ClientError("SIZE_INVALID", `Cannot read the answer: longer than ${limit} bytes`);
    parts.push(Buffer.from(chunk));
  });
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts, length);
}
