import type { ContentStream } from "../oci/index.ts";
import { FolderUnpacker, type FolderUnpackerOptions, type UnpackedFacts } from "./folder-unpacker.ts";
import type { LayerExpectation } from "./layer-stream.ts";
import type { LayerFacts } from "./layer-writer.ts";

/** Makes layers files, bottom first; here, or on a thread of its own. */
export interface ImageUnpacker extends AsyncDisposable {
  /**
   * Sends the next layer, verified and uncompressed. The next one may come as soon as this resolves; `applied` settles
   * when the layer has become files.
   *
   * @throws UnpackError, OciError `SIZE_INVALID` or `DIGEST_INVALID`, or the stream's error
   */
  send(stream: ContentStream, expected: LayerExpectation): Promise<{ readonly applied: Promise<LayerFacts> }>;
  /** Sets what has to be set last. */
  finish(): Promise<UnpackedFacts>;
}

/** In the caller's own thread: for little images, whose files are there before a thread would be. */
export class NearUnpacker implements ImageUnpacker {
  readonly #unpacker: FolderUnpacker;

  constructor(folder: string, options: FolderUnpackerOptions) {
    this.#unpacker = new FolderUnpacker(folder, options);
  }

  async send(stream: ContentStream, expected: LayerExpectation): Promise<{ applied: Promise<LayerFacts> }> {
    const facts = await this.#unpacker.apply(stream, expected);
    return { applied: Promise.resolve(facts) };
  }

  finish(): Promise<UnpackedFacts> {
    return Promise.resolve(this.#unpacker.finish());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#unpacker.close();
  }
}
