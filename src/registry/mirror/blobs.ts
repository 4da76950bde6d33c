import type { Digest } from "../../oci/index.ts";
import { serveBlob } from "../blobs.ts";
import type { BlobLink } from "../metadata.ts";
import { parseRange, type ByteRange } from "../range.ts";
import type { RegistryResponse, ResponseStream } from "../request.ts";
import { refuse, respond } from "../respond.ts";
import type { CacheSpace } from "./cache-space.ts";
import type { Download } from "./download.ts";
import { Downloads } from "./downloads.ts";
import type { MirrorEvent } from "./events.ts";
import type { Asked } from "./asked.ts";
import { Remembered } from "./remembered.ts";
import { SingleFlight } from "./single-flight.ts";
import type { MirrorState } from "./state.ts";
import { isNotFound, UpstreamError, type UpstreamBlob } from "./upstream.ts";

export interface MirrorBlobsOptions {
  readonly state: MirrorState;
  readonly space: CacheSpace;
  readonly clock: () => number;
  readonly onEvent: (event: MirrorEvent) => void;
  /** Told of failures that neither a caller nor an upstream is to blame for. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Blobs of upstreams. One is served from here once the repository shows it; that it lies in the store because of
 * another repository is no reason to, before the upstream said that it belongs to this one, too.
 */
export class MirrorBlobs {
  readonly #options: MirrorBlobsOptions;
  readonly #downloads: Downloads;
  readonly #heads = new SingleFlight<UpstreamBlob>();
  readonly #unknown: Remembered<UpstreamError>;

  constructor(options: MirrorBlobsOptions) {
    this.#options = options;
    this.#downloads = new Downloads(options);
    this.#unknown = new Remembered(options.clock, 10_000);
  }

  /** @throws UpstreamError */
  async serve(asked: Asked, digest: Digest): Promise<RegistryResponse> {
    const { context, place, admitted, request } = asked;
    const blob = await context.metadata.findBlob(place.local, digest);
    if (blob !== undefined) {
      if (!admitted.proven()) await this.#head(asked, digest);
      const kept = await this.#serveKept(asked, blob);
      if (kept !== undefined) return kept;
    }
    if (request.method === "HEAD") return describe(await this.#head(asked, digest));
    const size = await this.#findSize(asked, digest);
    this.#assertWelcome(asked, { digest, size });
    return await this.#serveDownload(asked, { digest, size });
  }

  /** Ends what is under way, and waits for that. */
  close(): Promise<void> {
    return this.#downloads.close();
  }

  async #serveKept(asked: Asked, blob: BlobLink): Promise<RegistryResponse | undefined> {
    const { context, request, place } = asked;
    const { digest, size } = blob;
    // Its bytes may be gone, by a check that found them damaged: then they are fetched again.
    if ((await context.blobs.find(digest)) === undefined) return undefined;
    const response = await serveBlob(context, request, { name: place.local, digest });
    if (response.status === 404) return undefined;
    this.#options.state.useBlob(place.local, digest, size);
    this.#options.onEvent({ type: "hit", repository: place.local, digest });
    return response;
  }

  async #serveDownload(asked: Asked, blob: UpstreamBlob): Promise<RegistryResponse> {
    const { digest, size } = blob;
    const { request } = asked;
    const headers = headersOf(digest);
    if (request.header("if-none-match")?.includes(`"${digest}"`) === true) return respond(304, headers);
    const wish = request.header("range");
    const range = wish === undefined ? undefined : parseRange(wish, size);
    if (range === "unsatisfiable") {
      return refuse("RANGE_INVALID", `The blob has ${size} bytes; the range asks for others`, {
        headers: { "Content-Range": `bytes */${size}` },
      });
    }
    const { first, last } = range ?? { first: 0, last: size - 1 };
    const all = {
      "Content-Type": "application/octet-stream",
      "Content-Length": last - first + 1,
      ...headers,
    };
    const stream = await this.#open(asked, blob, { first, last });
    if (range === undefined) return respond(200, all, stream);
    return respond(206, { ...all, "Content-Range": `bytes ${first}-${last}/${size}` }, stream);
  }

  /** Reads along with a download that has begun to deliver. */
  async #open(asked: Asked, blob: UpstreamBlob, range: ByteRange): Promise<ResponseStream> {
    const { place } = asked;
    const { state } = this.#options;
    const { download, seat } = await this.#join(asked, blob);
    using _seat = seat;
    try {
      await download.started;
    } catch (error) {
      // A manifest may lie about sizes; the upstream is asked the next time.
      if (error instanceof UpstreamError && error.code === "UPSTREAM_INVALID") {
        state.forgetSize(place.local, blob.digest);
      }
      if (isNotFound(error)) this.#noteUnknown(asked, blob.digest, error);
      throw error;
    }
    return download.read(range);
  }

  /** Who joins what somebody else began needs a right of their own, and so does another repository. */
  async #join(
    asked: Asked,
    blob: UpstreamBlob,
  ): Promise<{ readonly download: Download; readonly seat: Disposable }> {
    const { digest } = blob;
    const { local } = asked.place;
    let vouched = false;
    for (;;) {
      const running = this.#downloads.find(digest);
      const stranger = running !== undefined && !this.#downloads.isFor(local, digest);
      if (!vouched && (stranger || !asked.admitted.proven())) {
        await this.#head(asked, digest);
        vouched = true;
      } else if (running?.abandoned === true) {
        await running.ended;
      } else {
        const download = this.#downloads.join(
          asked,
          blob,
          async () => void (await this.#head(asked, digest)),
        );
        return { download, seat: download.join() };
      }
    }
  }

  async #findSize(asked: Asked, digest: Digest): Promise<number> {
    const { local } = asked.place;
    const known = this.#options.state.findSize(local, digest);
    if (known !== undefined) return known;
    return (await this.#head(asked, digest)).size;
  }

  async #head(asked: Asked, digest: Digest): Promise<UpstreamBlob> {
    const { place, admitted } = asked;
    const key = keyOf(asked, digest);
    const unknown = this.#unknown.find(key);
    if (unknown !== undefined) throw unknown;
    try {
      const ask = (): Promise<UpstreamBlob> => place.upstream.headBlob(admitted.query, digest);
      const blob = await admitted.asking(() => this.#heads.run(key, ask));
      this.#options.state.learnSizes(place.local, [blob]);
      return blob;
    } catch (error) {
      if (isNotFound(error)) this.#noteUnknown(asked, digest, error);
      this.#options.onEvent({ type: "failed", repository: place.local, reference: digest, error });
      throw error;
    }
  }

  #noteUnknown(asked: Asked, digest: Digest, error: UpstreamError): void {
    this.#unknown.set(keyOf(asked, digest), error, asked.place.settings.negativeTtl);
  }

  #assertWelcome({ context, place }: Asked, { digest, size }: UpstreamBlob): void {
    const limit = Math.min(place.settings.maxBlobSize, context.maxBlobSize);
    if (size <= limit) return;
    const name = `${place.settings.registry}/${place.remote}`;
    const why = `${size} bytes are more than the ${limit} a blob may have here`;
    throw new UpstreamError("DENIED", `Cannot mirror blob "${digest}" of "${name}": ${why}`);
  }
}

function keyOf({ place, admitted }: Asked, digest: Digest): string {
  return `${place.local} ${digest} ${admitted.who}`;
}

function describe({ digest, size }: UpstreamBlob): RegistryResponse {
  const headers = { "Content-Type": "application/octet-stream", "Content-Length": size };
  return respond(200, { ...headers, ...headersOf(digest) });
}

function headersOf(digest: Digest): Record<string, string> {
  return {
    "Docker-Content-Digest": digest,
    ETag: `"${digest}"`,
    "Accept-Ranges": "bytes",
    "Cache-Control": "max-age=31536000",
  };
}
