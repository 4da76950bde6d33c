import type { Digest } from "../oci/index.ts";
import { digestAlgorithm } from "../oci/index.ts";
import type { ClientEventListener } from "./events.ts";
import type { Exchange } from "./exchange.ts";
import type { RetryPolicy, Sleep } from "./retry.ts";
import type { SplitBudget } from "./split-options.ts";

/** One repository of one registry, and the means to ask it. What every operation of this room begins with. */
export interface Place {
  readonly exchange: Exchange;
  readonly policy: RetryPolicy;
  readonly sleep: Sleep;
  /** The registry as image names spell it: `docker.io`, `localhost:5000`. */
  readonly domain: string;
  /** The repository inside it: `library/busybox`. */
  readonly repository: string;
  /** Bytes of one request of a chunked upload; blobs go in one request without it. */
  readonly chunkSize: number | undefined;
  /** Lets large blobs come over several connections; absent where that isn't wanted. */
  readonly split: SplitBudget | undefined;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly onEvent: ClientEventListener;
  readonly onWarning: (text: string) => void;
}

export function nameOf(place: Pick<Place, "domain" | "repository">): string {
  return JSON.stringify(`${place.domain}/${place.repository}`);
}

/** A path of the shared routes without `/v2`, which a host's own base path takes the place of. */
export function below(route: string): string {
  return route.slice("/v2".length);
}

/** Registries that keep other algorithms want to know before the first byte. */
export function algorithmQuery(digest: Digest): readonly (readonly [string, string])[] {
  const algorithm = digestAlgorithm(digest);
  return algorithm === "sha256" ? [] : [["digest-algorithm", algorithm]];
}

export function withQuery(path: string, query: readonly (readonly [string, string])[]): string {
  if (query.length === 0) return path;
  const text = query.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
  return `${path}?${text}`;
}
