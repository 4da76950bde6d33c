/** Whether images that are to be brought here fit, before the first of them is asked for. */
import type { EstimatedContent } from "./estimate-pull.ts";
import type { ImageFileSystem } from "./image-service.ts";

export interface DiskBudgetFacts {
  /** What the images consist of; several of them may share contents. */
  readonly contents: Iterable<EstimatedContent>;
  /** Layers that are here, by what is in them. */
  readonly presentLayers: ReadonlySet<string>;
  /** The file system that they would fill, as far as it is known. */
  readonly fileSystem: ImageFileSystem;
  /** Bytes that unpacking adds to each byte that travels: 0 for a store that keeps layers as they come. */
  readonly unpackRatio: number;
  /** No more than so many bytes may travel; `undefined` for no limit. */
  readonly maxBytes?: number | undefined;
  /** So many bytes must stay free; a function of the capacity where it is a part of that. */
  readonly keepFree?: ((capacity: number) => number) | undefined;
}

export interface BudgetLimit {
  readonly limit: "max-bytes" | "keep-free";
  /** Bytes that are allowed, and that are asked for. */
  readonly allowed: number;
  readonly wanted: number;
  /** Bytes too many; 0 when it fits. */
  readonly excess: number;
}

export interface DiskBudget {
  readonly verdict: "fits" | "exceeds";
  /** Bytes that would travel: contents that aren't here, each once. */
  readonly transfer: number;
  /** Bytes they would take on the disk. */
  readonly disk: number;
  /** Bytes that are here already, so that they needn't travel. */
  readonly present: number;
  readonly capacity: number | undefined;
  readonly available: number | undefined;
  /** Those that could be checked. */
  readonly limits: readonly BudgetLimit[];
  /** Whether what must stay free couldn't be checked, since nobody knows how large the disk is. */
  readonly diskUnknown: boolean;
}

export function decideDiskBudget(facts: DiskBudgetFacts): DiskBudget {
  const { presentLayers, fileSystem, unpackRatio, maxBytes, keepFree } = facts;
  const { capacityBytes: capacity, availableBytes: available } = fileSystem;
  const seen = new Set<string>();
  let [transfer, present] = [0, 0];
  for (const { digest, size, diffId } of facts.contents) {
    if (seen.has(digest)) continue;
    seen.add(digest);
    if (diffId !== undefined && presentLayers.has(diffId)) present += size;
    else transfer += size;
  }
  const disk = Math.ceil(transfer * (1 + unpackRatio));
  const limits: BudgetLimit[] = [];
  if (maxBytes !== undefined) limits.push(compare("max-bytes", maxBytes, transfer));
  const isKnown = capacity !== undefined && available !== undefined;
  // What needs nothing fits on a disk that is too full already.
  if (keepFree !== undefined && isKnown && disk > 0) {
    limits.push(compare("keep-free", Math.max(0, available - Math.ceil(keepFree(capacity))), disk));
  }
  return {
    verdict: limits.some(({ excess }) => excess > 0) ? "exceeds" : "fits",
    transfer,
    disk,
    present,
    capacity,
    available,
    limits,
    diskUnknown: keepFree !== undefined && !isKnown,
  };
}

function compare(limit: BudgetLimit["limit"], allowed: number, wanted: number): BudgetLimit {
  return { limit, allowed, wanted, excess: Math.max(0, wanted - allowed) };
}
