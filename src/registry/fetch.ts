import type { Registry } from "./registry.ts";
import { RequestAborted, type RegistryResponse, type RequestBody, type ResponseStream } from "./request.ts";

/** Lets a registry answer the platform's `Request` with its `Response`. */
export async function answerWithFetch(
  registry: Pick<Registry, "handle">,
  request: Request,
): Promise<Response> {
  const url = new URL(request.url);
  const response = await registry.handle({
    method: request.method,
    target: url.pathname + url.search,
    body: new FetchBody(request),
    secure: url.protocol === "https:",
    // The platform's requests have no Host; their URL says it.
    header: (name) => request.headers.get(name) ?? (name === "host" ? url.host : undefined),
  });
  return toResponse(response);
}

class FetchBody implements RequestBody {
  readonly length: number | undefined;
  readonly #request: Request;

  constructor(request: Request) {
    this.#request = request;
    const length = request.headers.get("content-length");
    this.length = request.body === null ? 0 : length === null ? undefined : Number(length);
  }

  async pump(consume: (chunk: Uint8Array) => void | Promise<void>): Promise<void> {
    if (this.#request.body === null) return;
    const reader = this.#request.body.getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read().catch((cause: unknown) => {
          throw new RequestAborted({ cause });
        });
        if (done) return;
        await consume(value);
      }
    } catch (error) {
      await reader.cancel().catch(() => {});
      throw error;
    }
  }
}

function toResponse(response: RegistryResponse): Response {
  const headers = new Headers();
  for (let at = 0; at + 1 < response.headers.length; at += 2) {
    headers.append(response.headers[at] as string, response.headers[at + 1] as string);
  }
  const { status, body } = response;
  if (body === undefined) return new Response(null, { status, headers });
  if (body instanceof Uint8Array) return new Response(new Uint8Array(body), { status, headers });
  return new Response(toReadable(body), { status, headers });
}

/** One chunk is read when one is wanted. Pumped chunks are borrowed, so what leaves here is a copy. */
function toReadable(stream: ResponseStream): ReadableStream<Uint8Array> {
  let wanted = Promise.withResolvers<void>();
  let cancelled = false;
  return new ReadableStream<Uint8Array>(
    {
      start(controller): void {
        const deliver = async (chunk: Uint8Array): Promise<void> => {
          await wanted.promise;
          wanted = Promise.withResolvers();
          if (cancelled) throw new RequestAborted();
          controller.enqueue(new Uint8Array(chunk));
        };
        const run = async (): Promise<void> => {
          try {
            await stream.pump(deliver);
            controller.close();
          } catch (error) {
            if (!cancelled) controller.error(error);
          } finally {
            await stream.close();
          }
        };
        void run();
      },
      pull(): void {
        wanted.resolve();
      },
      cancel(): void {
        cancelled = true;
        wanted.resolve();
        stream.cancel?.();
      },
    },
    { highWaterMark: 0 },
  );
}
