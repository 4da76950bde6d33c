import type { ServiceImage } from "../image-service.ts";

/** Go's zero time in milliseconds since the epoch: before anything that was ever seen. */
export const NEVER: number = Date.parse("0001-01-01T00:00:00Z");

/** What collection knows of an image that is here. Times in milliseconds since the epoch. */
export interface ImageRecord {
  /** The id, with the runtime handler where handlers keep images apart. */
  readonly key: string;
  readonly runtimeHandler: string;
  readonly firstDetected: number;
  /** {@link NEVER} for an image that no container was seen with. */
  readonly lastUsed: number;
  /** Bytes. */
  readonly size: number;
  readonly pinned: boolean;
}

/** An image that something on the node holds. */
export interface UsedImage {
  readonly imageId: string;
  readonly runtimeHandler?: string | undefined;
}

export interface Sighting {
  readonly images: readonly ServiceImage[];
  readonly used: readonly UsedImage[];
  /** When new images count as first seen. */
  readonly detectTime: number;
  readonly now: number;
}

/** Remembers of every image since when it is here and when it was last in use. */
export class ImageRecords {
  readonly #byHandler: boolean;
  #records: ReadonlyMap<string, ImageRecord> = new Map();

  constructor(options: { readonly byHandler?: boolean | undefined } = {}) {
    this.#byHandler = options.byHandler ?? false;
  }

  get all(): readonly ImageRecord[] {
    return [...this.#records.values()];
  }

  /** Takes in what is here now, forgets what is gone, and returns the keys in use. */
  observe({ images, used, detectTime, now }: Sighting): ReadonlySet<string> {
    const inUse = new Set(used.map(({ imageId, runtimeHandler }) => this.#keyOf(imageId, runtimeHandler)));
    const records = new Map<string, ImageRecord>();
    for (const { id, size, pinned, spec } of images) {
      const key = this.#keyOf(id, spec.runtimeHandler);
      const old = records.get(key) ?? this.#records.get(key);
      records.set(key, {
        key,
        runtimeHandler: old === undefined ? spec.runtimeHandler : old.runtimeHandler,
        firstDetected: old?.firstDetected ?? detectTime,
        lastUsed: inUse.has(key) ? now : (old?.lastUsed ?? NEVER),
        size,
        pinned,
      });
    }
    this.#records = records;
    return inUse;
  }

  forget(key: string): void {
    const records = new Map(this.#records);
    records.delete(key);
    this.#records = records;
  }

  /** The image's id within a key. */
  idOf(key: string): string {
    if (!this.#byHandler) return key;
    const comma = key.indexOf(",");
    return comma < 0 ? key : key.slice(0, comma);
  }

  #keyOf(id: string, handler: string | undefined): string {
    return this.#byHandler && handler !== undefined && handler !== "" ? `${id},${handler}` : id;
  }
}
