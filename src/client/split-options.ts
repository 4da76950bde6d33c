/** When a large blob is read over several connections at once; see `split-stream.ts`. */
export interface SplitOptions {
  /**
   * Milliseconds a blob has to have taken over one connection, and would still take, before others help. What a fast
   * network brings in less gains nothing from more connections. 500 by default.
   */
  readonly patience?: number | undefined;
  /** Bytes that have to be missing; 16 MiB by default. */
  readonly threshold?: number | undefined;
  /** Bytes asked for at a time, which are held in memory until their turn; 8 MiB by default. */
  readonly partSize?: number | undefined;
  /** Connections for one blob; 4 by default. */
  readonly connections?: number | undefined;
  /** Connections that help, for all blobs of a client together; 6 by default. They bound the memory, too. */
  readonly helpers?: number | undefined;
}

export type SplitSettings = Required<{ [Key in keyof SplitOptions]: number }>;

export function splitSettings(options: SplitOptions): SplitSettings {
  return {
    patience: options.patience ?? 500,
    threshold: options.threshold ?? 16 * 1024 * 1024,
    partSize: Math.max(1, options.partSize ?? 8 * 1024 * 1024),
    connections: options.connections ?? 4,
    helpers: options.helpers ?? 6,
  };
}

/** Shared by all blobs of a client, or of several: connections that may help, and registries that won't have it. */
export class SplitBudget {
  readonly settings: SplitSettings;
  /** Registries whose answers to ranges weren't what was asked for. */
  readonly unable: Set<string> = new Set<string>();
  readonly #spare: Uint8Array[] = [];
  #free: number;

  constructor(options: SplitOptions) {
    this.settings = splitSettings(options);
    this.#free = this.settings.helpers;
  }

  /** Connections that may be opened now. */
  get free(): number {
    return this.#free;
  }

  take(): boolean {
    if (this.#free <= 0) return false;
    this.#free--;
    return true;
  }

  give(count: number): void {
    this.#free += count;
    // Between pulls nobody keeps memory for the next one.
    if (this.#free === this.settings.helpers) this.#spare.length = 0;
  }

  /** Memory for what comes before its turn; contents are whatever was there. */
  takeBuffer(length: number): Uint8Array {
    const spare = this.#spare.findIndex((buffer) => buffer.length >= length);
    return (spare < 0 ? undefined : this.#spare.splice(spare, 1)[0]) ?? Buffer.allocUnsafeSlow(length);
  }

  giveBuffer(buffer: Uint8Array): void {
    // As much as may be wanted at once, and nothing when nobody is at work.
    const wanted = Math.min(this.#free, this.settings.helpers - this.#free);
    if (this.#spare.length < wanted) this.#spare.push(buffer);
  }
}
