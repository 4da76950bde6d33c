import type { FileHandle } from "node:fs/promises";

import type { Pump } from "../internal/compression.ts";
import { writeFully } from "../internal/file-content.ts";
import { TAR_BLOCK } from "../internal/tar-header.ts";
import { encodeTarHeader, encodeTarHeaderBlock, TAR_END, tarEntryPadding } from "../internal/tar-writer.ts";

/** A tar being written to a file: members in the order of the calls, with fixed owners and times. */
export class TarOutput {
  readonly #handle: FileHandle;
  #position = 0;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async folder(name: string): Promise<void> {
    await this.#append(encodeTarHeader({ type: "directory", name, mode: 0o755 }));
  }

  async document(name: string, bytes: Uint8Array, mode: number): Promise<void> {
    await this.#append(encodeTarHeader({ type: "file", name, mode, size: bytes.length }));
    await this.#append(bytes);
    await this.#append(tarEntryPadding(bytes.length));
  }

  /**
   * A member whose size shows only at its end: room for its header is left, and filled afterwards.
   *
   * @returns bytes written
   */
  async stream(
    name: string,
    mode: number,
    pump: (consume: Parameters<Pump["pump"]>[0]) => Promise<unknown>,
  ): Promise<number> {
    const header = this.#position;
    this.#position += TAR_BLOCK;
    const start = this.#position;
    await pump((chunk) => this.#append(chunk));
    const size = this.#position - start;
    await this.#append(tarEntryPadding(size));
    await writeFully(this.#handle, encodeTarHeaderBlock({ type: "file", name, mode, size }), header);
    return size;
  }

  async end(): Promise<void> {
    await this.#append(TAR_END);
  }

  async #append(bytes: Uint8Array): Promise<void> {
    await writeFully(this.#handle, bytes, this.#position);
    this.#position += bytes.length;
  }
}
