import type { Digest } from "../../oci/index.ts";

/** What a mirror does, as it happens; repositories by the names they have here. */
export type MirrorEvent =
  /** Something was brought here; `resumed` bytes of it were here already. */
  | {
      readonly type: "fetched";
      readonly repository: string;
      readonly digest: Digest;
      readonly bytes: number;
      readonly resumed: number;
    }
  | { readonly type: "hit"; readonly repository: string; readonly digest: Digest }
  /** What is known had to do, because the upstream could not be asked. */
  | { readonly type: "stale"; readonly repository: string; readonly reference: string; readonly age: number }
  | { readonly type: "moved"; readonly repository: string; readonly tag: string; readonly digest: Digest }
  | {
      readonly type: "failed";
      readonly repository: string;
      readonly reference: string;
      readonly error: unknown;
    }
  | {
      readonly type: "evicted";
      readonly repository: string;
      readonly digest: Digest;
      readonly bytes: number;
    };

/** Told of an event, and which registry it is about: `docker.io`. */
export type MirrorEventListener = (event: MirrorEvent, registry: string) => void;
