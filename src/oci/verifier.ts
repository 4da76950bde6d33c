import { type Descriptor } from "./descriptor.ts";
import { digestAlgorithm, DigestHasher } from "./digest.ts";
import { OciError } from "./errors.ts";

/** Checks content against its descriptor as it flows. */
export class Verifier {
  readonly #descriptor: Pick<Descriptor, "digest" | "size">;
  readonly #hasher: DigestHasher;
  #received = 0;

  constructor(descriptor: Pick<Descriptor, "digest" | "size">) {
    this.#descriptor = descriptor;
    this.#hasher = new DigestHasher(digestAlgorithm(descriptor.digest));
  }

  /** Bytes so far. */
  get received(): number {
    return this.#received;
  }

  /**
   * Takes the next bytes.
   *
   * @throws OciError `SIZE_INVALID` as soon as there is one byte too many
   */
  update(chunk: Uint8Array): void {
    this.#received += chunk.byteLength;
    if (this.#received > this.#descriptor.size) {
      throw this.#wrong("SIZE_INVALID", `it is longer than the ${this.#descriptor.size} bytes announced`);
    }
    this.#hasher.update(chunk);
  }

  /**
   * Ends the check; call it once, after the last byte.
   *
   * @throws OciError `SIZE_INVALID` for too few bytes, `DIGEST_INVALID` for the wrong ones
   */
  end(): void {
    if (this.#received !== this.#descriptor.size) {
      throw this.#wrong("SIZE_INVALID", `it ended after ${this.#received} of ${this.#descriptor.size} bytes`);
    }
    const actual = this.#hasher.digest();
    if (actual !== this.#descriptor.digest)
      throw this.#wrong("DIGEST_INVALID", `its bytes hash to ${actual}`);
  }

  #wrong(code: "SIZE_INVALID" | "DIGEST_INVALID", why: string): OciError {
    return new OciError(code, `Cannot accept content "${this.#descriptor.digest}": ${why}`);
  }
}
