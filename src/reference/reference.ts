import type { Digest } from "../oci/index.ts";

/**
 * A parsed image reference. `domain` is empty only in results of the bare grammar; normalised references always
 * have one, and Docker Hub's is `docker.io`.
 */
export interface Reference {
  /** Registry host with optional port: `docker.io`, `localhost:5000`, `[::1]:5000`. */
  readonly domain: string;
  /** Repository inside the registry: `library/ubuntu`. */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}
