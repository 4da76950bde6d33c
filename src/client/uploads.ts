import type { ContentSource, Descriptor, WriteOptions, WriteOutcome } from "../oci/index.ts";
import { hasContent } from "./blobs.ts";
import { bodyFromSource, SourceFailure } from "./body-from-source.ts";
import { ClientError } from "./errors.ts";
import type { RegistryHost } from "./host.ts";
import type { HttpBodySource } from "./http.ts";
import { nameOf, type Place } from "./place.ts";
import { isTransient } from "./retry.ts";
import { UploadSession, type SessionOptions } from "./upload-session.ts";

export interface UploadOptions extends WriteOptions {
  /** A repository of the same registry that may have the blob. */
  readonly from?: string | undefined;
}

/**
 * Brings a blob into a repository: not at all when it is there, by a link where the registry can, else byte by
 * byte, going on where a broken connection left off.
 *
 * @throws ClientError, or the source's own error
 */
export async function uploadBlob(
  place: Place,
  descriptor: Descriptor,
  source: ContentSource,
  options: UploadOptions = {},
): Promise<WriteOutcome> {
  const { signal, onProgress } = options;
  const host = await pushHost(place, signal);
  if (await existsAlready(place, descriptor, host, signal)) {
    onProgress?.(descriptor.size);
    return "exists";
  }
  const base: SessionOptions = { place, host, digest: descriptor.digest, signal };
  const session = await startWithMount(base, options.from);
  if (session === undefined) {
    onProgress?.(descriptor.size);
    return "mounted";
  }
  const transfer = new Transfer(base, descriptor, source, options);
  try {
    await transfer.run(session);
    return "written";
  } catch (error) {
    throw error instanceof SourceFailure ? error.cause : error;
  }
}

/** Links a blob from another repository of the same registry, if that allows it. */
export async function mountBlob(
  place: Place,
  descriptor: Descriptor,
  from: string,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<boolean> {
  const host = await pushHost(place, options.signal);
  const session = await UploadSession.start({
    place,
    host,
    digest: descriptor.digest,
    signal: options.signal,
    from,
  });
  await session?.cancel();
  return session === undefined;
}

/** Pushes go to one place only, or tags would differ between hosts. */
export async function pushHost(place: Place, signal: AbortSignal | undefined): Promise<RegistryHost> {
  const [host] = await place.exchange.hostsFor(place.domain, ["push"], signal);
  return host as RegistryHost;
}

async function existsAlready(
  place: Place,
  descriptor: Descriptor,
  host: RegistryHost,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    return await hasContent(place, descriptor, { signal, hosts: [host] });
  } catch (error) {
    // Who may push may not always look; the upload itself will tell.
    if (error instanceof ClientError && (error.status === 401 || error.status === 403)) return false;
    throw error;
  }
}

async function startWithMount(
  options: SessionOptions,
  from: string | undefined,
): Promise<UploadSession | undefined> {
  if (from !== undefined) {
    try {
      return await UploadSession.start({ ...options, from });
    } catch (error) {
      // Whatever is wrong with the other repository, the bytes can still be sent.
      if (!(error instanceof ClientError) || error.status === undefined) throw error;
    }
  }
  return UploadSession.start(options);
}

class Transfer {
  readonly #options: SessionOptions;
  readonly #descriptor: Descriptor;
  readonly #source: ContentSource;
  readonly #onProgress: ((bytes: number) => void) | undefined;
  /** The first byte the registry doesn't have, as far as it said. */
  #offset = 0;

  constructor(options: SessionOptions, descriptor: Descriptor, source: ContentSource, write: WriteOptions) {
    this.#options = options;
    this.#descriptor = descriptor;
    this.#source = source;
    this.#onProgress = write.onProgress;
  }

  async run(first: UploadSession): Promise<void> {
    const { place, signal } = this.#options;
    let session = first;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#send(session);
        return;
      } catch (error) {
        const recoverable = error instanceof ClientError && (isTransient(error) || isLost(error));
        if (!recoverable || attempt >= place.policy.attempts || tooLate(error, place)) {
          if (error instanceof ClientError && error.status !== undefined) await session.cancel();
          throw error;
        }
        await this.#pause(error, attempt);
        signal?.throwIfAborted();
        // The last answer may be what was lost.
        if (await hasContent(place, this.#descriptor, { signal, hosts: [this.#options.host] })) return;
        session = await this.#goOn(session, error);
      }
    }
  }

  async #send(session: UploadSession): Promise<void> {
    const { size } = this.#descriptor;
    const chunk = this.#chunkSize(session);
    if (this.#offset === 0 && chunk >= size) {
      await session.finish(size === 0 ? undefined : this.#part(0, size));
      return;
    }
    while (this.#offset < size) {
      const range = { from: this.#offset, to: Math.min(size, this.#offset + chunk) };
      await session.append(this.#part(range.from, range.to), range);
      this.#offset = range.to;
    }
    await session.finish(undefined);
  }

  #chunkSize(session: UploadSession): number {
    const { chunkSize } = this.#options.place;
    return chunkSize === undefined
      ? Math.max(1, this.#descriptor.size)
      : Math.max(1, chunkSize, session.minimum);
  }

  #part(from: number, to: number): HttpBodySource {
    return bodyFromSource(this.#source, this.#descriptor, {
      from,
      to,
      signal: this.#options.signal,
      onOffset: (offset) => this.#onProgress?.(offset),
    });
  }

  async #pause(error: ClientError, attempt: number): Promise<void> {
    const { place, signal, digest } = this.#options;
    const delay = isLost(error) ? 0 : (error.retryAfter ?? place.policy.delayAfter(attempt));
    place.onEvent({ type: "retry", reason: `${error.message} (upload of "${digest}")`, attempt, delay });
    if (delay > 0) await place.sleep(delay, signal);
  }

  /** Asks how far the registry got; begins anew where it has forgotten. */
  async #goOn(session: UploadSession, error: ClientError): Promise<UploadSession> {
    const { place, digest } = this.#options;
    // "0-0" is said of one byte and of none: begun at 0 and refused, it must have been one.
    const least = error.status === 416 && this.#offset === 0 ? 1 : 0;
    const there = await session.status(least).catch((failure: unknown) => {
      if (failure instanceof ClientError && failure.status !== undefined) return undefined;
      throw failure;
    });
    if (there !== undefined && there <= this.#descriptor.size) {
      this.#offset = there;
      place.onEvent({ type: "resume", digest, offset: there, reason: "the upload was interrupted" });
      return session;
    }
    this.#offset = 0;
    const fresh = await UploadSession.start(this.#options);
    if (fresh !== undefined) return fresh;
    throw new ClientError(
      "RESPONSE_INVALID",
      `Cannot upload blob "${digest}" to ${nameOf(place)}: the registry would not begin`,
    );
  }
}

/** The registry's idea of the upload and ours differ: it has forgotten it, or has other bytes than we thought. */
function isLost(error: ClientError): boolean {
  return error.status === 416 || error.status === 404;
}

function tooLate(error: ClientError, place: Place): boolean {
  return (error.retryAfter ?? 0) > place.policy.maxRetryAfter;
}
