import type { FoundManifest } from "./metadata.ts";
import type { RegistryResponse } from "./request.ts";

/** A manifest as it is answered, ready to send again. */
export interface CachedManifest extends FoundManifest {
  readonly repository: string;
  readonly get: RegistryResponse;
  readonly head: RegistryResponse;
}

interface Entry extends CachedManifest {
  readonly generation: number;
  used: boolean;
}

/**
 * The manifests asked for most lately, by the target of the request, within a bound of bytes.
 *
 * An entry answers only while the metadata's generation is the one it was read under: a tag moved by this process
 * or another one is seen by the very next request.
 */
export class ManifestCache {
  readonly #entries = new Map<string, Entry>();
  readonly #limit: number;
  #bytes = 0;

  /** `limit` in bytes of memory; 0 turns the cache off. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get bytes(): number {
    return this.#bytes;
  }

  has(target: string): boolean {
    return this.#entries.has(target);
  }

  find(target: string, generation: number | undefined): CachedManifest | undefined {
    const entry = this.#entries.get(target);
    if (entry === undefined || entry.generation !== generation) return undefined;
    entry.used = true;
    return entry;
  }

  /** What was answered under an older generation. Its bytes are still the bytes of its digest. */
  findStale(target: string): CachedManifest | undefined {
    return this.#entries.get(target);
  }

  /** `generation` was asked for before the manifest was looked up. */
  set(target: string, manifest: CachedManifest, generation: number): void {
    const cost = costOf(target, manifest);
    // One large document doesn't push out hundreds of small ones.
    if (cost > this.#limit / 8) return;
    this.#drop(target);
    this.#entries.set(target, { ...manifest, generation, used: false });
    this.#bytes += cost;
    this.#makeRoom();
  }

  /** Oldest first; an entry that served since its last turn gets another one. */
  #makeRoom(): void {
    for (const [target, entry] of this.#entries) {
      if (this.#bytes <= this.#limit) return;
      if (!entry.used) {
        this.#drop(target);
        continue;
      }
      entry.used = false;
      this.#entries.delete(target);
      this.#entries.set(target, entry);
    }
  }

  #drop(target: string): void {
    const entry = this.#entries.get(target);
    if (entry === undefined) return;
    this.#entries.delete(target);
    this.#bytes -= costOf(target, entry);
  }
}

/** Headers, keys and objects count too: a thousand tiny manifests under long names are not free. */
function costOf(target: string, manifest: CachedManifest): number {
  return manifest.size + 2 * target.length + 2_048;
}
