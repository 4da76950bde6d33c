import { type Digest, type DigestAlgorithm, digestAlgorithm, DigestHasher } from "../oci/index.ts";
import { readAt } from "./file-stream.ts";

const BUFFER_BYTES = 1024 * 1024;

/** Hashes of the first `offset` bytes of something that grows, under one or more algorithms. */
export class RunningDigest {
  offset = 0;
  readonly #hashers: readonly DigestHasher[];

  constructor(hashers: readonly DigestHasher[], offset = 0) {
    this.#hashers = hashers;
    this.offset = offset;
  }

  static begin(algorithms: readonly DigestAlgorithm[]): RunningDigest {
    return new RunningDigest([...new Set(algorithms)].map((algorithm) => new DigestHasher(algorithm)));
  }

  get algorithms(): readonly DigestAlgorithm[] {
    return this.#hashers.map((hasher) => hasher.algorithm);
  }

  update(bytes: Uint8Array): void {
    for (const hasher of this.#hashers) hasher.update(bytes);
    this.offset += bytes.length;
  }

  copy(): RunningDigest {
    return new RunningDigest(
      this.#hashers.map((hasher) => hasher.copy()),
      this.offset,
    );
  }

  /** The digest in the algorithm of `expected`, where that one was hashed. Can go on afterwards. */
  like(expected: Digest): Digest | undefined {
    const algorithm = digestAlgorithm(expected);
    return this.#hashers
      .find((hasher) => hasher.algorithm === algorithm)
      ?.copy()
      .digest();
  }

  /** Reads on in a file until `end`, or to where the file ends. */
  async readFile(fd: number, end: number, signal?: AbortSignal): Promise<void> {
    if (this.offset >= end) return;
    const buffer = Buffer.allocUnsafeSlow(Math.min(BUFFER_BYTES, end - this.offset));
    while (this.offset < end) {
      signal?.throwIfAborted();
      const bytes = await readAt(fd, buffer, this.offset);
      if (bytes === 0) return;
      this.update(buffer.subarray(0, Math.min(bytes, end - this.offset)));
    }
  }
}
