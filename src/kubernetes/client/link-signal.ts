export interface LinkedSignal {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
  /** Stops listening to the outer signal when the body of the answer has ended, however it did. */
  follow(response: Response): Response;
  release(): void;
}

/**
 * A signal for one request that follows another for as long as the request lasts. The outer one may live as long as
 * the process; what listened to it for every request ever made would never be collected.
 */
export function linkSignal(outer: AbortSignal | undefined): LinkedSignal {
  outer?.throwIfAborted();
  const controller = new AbortController();
  const stop = (): void => controller.abort(outer?.reason);
  outer?.addEventListener("abort", stop, { once: true });
  const release = (): void => outer?.removeEventListener("abort", stop);
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    release,
    follow(response) {
      if (response.body === null || outer === undefined) {
        release();
        return response;
      }
      const body = watchEnd(response.body, controller.signal, release);
      return new Response(body, { status: response.status, headers: response.headers });
    },
  };
}

/** The same bytes; an abort ends them even where the source doesn't look at the signal. */
function watchEnd(
  source: ReadableStream<Uint8Array>,
  signal: AbortSignal,
  onEnd: () => void,
): ReadableStream<Uint8Array> {
  const reader = source.getReader();
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const stop = (): void => {
          controller.error(signal.reason);
          reader.cancel(signal.reason).catch(() => {});
        };
        if (signal.aborted) stop();
        else signal.addEventListener("abort", stop, { once: true });
      },
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (signal.aborted) return;
          if (!done) return controller.enqueue(value);
          onEnd();
          controller.close();
        } catch (error) {
          onEnd();
          controller.error(error);
        }
      },
      async cancel(reason) {
        onEnd();
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
