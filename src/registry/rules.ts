import { MAX_DOCUMENT_SIZE } from "../oci/index.ts";
import type { CollectionSettings } from "./collect/collector.ts";
import type { RegistryContext } from "./context.ts";
import { openLimits, type LimitsConfig } from "./limits.ts";

/** What may change while a registry serves. */
export interface RegistryRules {
  /** Accept manifests whose config, layers or entries the repository lacks; no by default. */
  readonly sparse?: boolean | undefined;
  /** Whether manifests, tags and blobs may be deleted over the protocol; yes by default. */
  readonly deletable?: boolean | undefined;
  /** Bytes; 4 MiB by default. */
  readonly maxManifestSize?: number | undefined;
  /** Bytes; no limit by default. */
  readonly maxBlobSize?: number | undefined;
  /** What repositories may hold, and which of their tags never move. */
  readonly limits?: LimitsConfig | undefined;
  /** When garbage is collected, and what else goes; by default nothing, and only when somebody asks. */
  readonly collection?: CollectionSettings | undefined;
  /** After how many idle milliseconds an upload is given up; 7 days by default. */
  readonly uploadAge?: number | undefined;
}

export type ContextRules = Pick<
  RegistryContext,
  "sparse" | "deletable" | "maxManifestSize" | "maxBlobSize" | "limits"
>;

/** @throws RegistryError `CONFIG_INVALID` */
export function openRules(rules: RegistryRules): ContextRules {
  const { maxManifestSize = MAX_DOCUMENT_SIZE, maxBlobSize = Number.MAX_SAFE_INTEGER } = rules;
  return {
    sparse: rules.sparse ?? false,
    deletable: rules.deletable ?? true,
    maxManifestSize,
    maxBlobSize,
    limits: openLimits(rules.limits ?? {}, { maxManifestSize, maxBlobSize }),
  };
}
