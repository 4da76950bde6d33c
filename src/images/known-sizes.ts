/** How large images turned out to be, the latest thousand of them, in bytes by name. */
export class KnownSizes {
  readonly #sizes = new Map<string, number>();

  get(image: string): number | undefined {
    return this.#sizes.get(image);
  }

  learn(image: string, size: number): void {
    if (size === 0 || this.#sizes.get(image) === size) return;
    this.#sizes.delete(image);
    this.#sizes.set(image, size);
    if (this.#sizes.size > LIMIT) this.#sizes.delete(this.#sizes.keys().next().value as string);
  }
}

const LIMIT = 1000;
