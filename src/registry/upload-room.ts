import type { QuotaFault, Quota } from "./limits.ts";
import type { RegistryMetadata } from "./metadata.ts";

/** A body of unknown length asks for room in steps, so that its quota ends it and not the disk. */
const STEP = 8 * 1024 * 1024;

/** The room that quotas leave to one upload; promised before bytes are taken, so that no two uploads count on it. */
export class UploadRoom {
  readonly #metadata: RegistryMetadata;
  readonly #upload: { readonly id: string; readonly repository: string };
  readonly #quotas: readonly Quota[];
  #promised = 0;

  constructor(
    metadata: RegistryMetadata,
    upload: { readonly id: string; readonly repository: string },
    quotas: readonly Quota[],
  ) {
    this.#metadata = metadata;
    this.#upload = upload;
    this.#quotas = quotas;
  }

  /** Whether some quota has to be asked at all before `bytes` in all may be held. */
  isEnoughFor(bytes: number): boolean {
    return this.#quotas.length === 0 || bytes <= this.#promised;
  }

  /** Asks for room for `bytes` in all. */
  async claim(bytes: number): Promise<QuotaFault | undefined> {
    if (this.isEnoughFor(bytes)) return undefined;
    return await this.#reserve(bytes);
  }

  /** The same, and for what is likely to follow. */
  async claimAhead(bytes: number): Promise<QuotaFault | undefined> {
    if (this.isEnoughFor(bytes)) return undefined;
    return (await this.#reserve(bytes + STEP)) === undefined ? undefined : await this.#reserve(bytes);
  }

  /** Only `bytes` in all are held after all. */
  async settle(bytes: number): Promise<void> {
    if (this.#quotas.length > 0 && this.#promised !== bytes) await this.#reserve(bytes);
  }

  async #reserve(bytes: number): Promise<QuotaFault | undefined> {
    const fault = await this.#metadata.reserveUpload(this.#upload, bytes, { quotas: this.#quotas });
    if (fault === undefined) this.#promised = bytes;
    return fault;
  }
}
