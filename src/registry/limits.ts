import { RepositoryPattern } from "./access/pattern.ts";
import { RegistryError } from "./errors.ts";
import { TagPattern } from "./tag-pattern.ts";

/** What may be pushed to some repositories. Where several rules speak of one repository, all of them hold. */
export interface LimitRule {
  /** Patterns, as in policies: `team/**`. */
  readonly repositories: readonly string[];
  /** Bytes. */
  readonly maxManifestSize?: number | undefined;
  /** Bytes. */
  readonly maxBlobSize?: number | undefined;
  /** Bytes of blobs and manifests that each repository may show, uploads under way included. */
  readonly maxBytes?: number | undefined;
  /** Tags that each repository may have. */
  readonly maxTags?: number | undefined;
  /** Patterns with `*` of tags that never move, and go neither alone nor with their manifest. */
  readonly immutableTags?: readonly string[] | undefined;
}

/** What all repositories together may hold that are called `under`, or lie below it: a tenant's share. */
export interface SharedQuota {
  readonly under: string;
  /** Bytes; a blob that two of the repositories show counts twice. */
  readonly maxBytes?: number | undefined;
  readonly maxTags?: number | undefined;
}

export interface LimitsConfig {
  readonly rules?: readonly LimitRule[] | undefined;
  readonly quotas?: readonly SharedQuota[] | undefined;
  /** Further quotas of a repository, asked for each time: those of tenants come and go while the registry runs. */
  readonly quotasFor?: ((repository: string) => readonly Quota[]) | undefined;
}

/** A bound on what one repository, or all below a name, may hold. */
export interface Quota {
  readonly name: string;
  /** Whether repositories below that name count, too. */
  readonly below: boolean;
  readonly maxBytes?: number | undefined;
  readonly maxTags?: number | undefined;
}

/** A quota that would be exceeded. */
export interface QuotaFault {
  readonly quota: Quota;
  readonly kind: "bytes" | "tags";
  /** What is held or promised already. */
  readonly used: number;
  readonly wanted: number;
}

export interface RepositoryLimits {
  readonly maxManifestSize: number;
  readonly maxBlobSize: number;
  readonly quotas: readonly Quota[];
  readonly isImmutable: (tag: string) => boolean;
}

export type Limits = (repository: string) => RepositoryLimits;

/**
 * Reads the rules once.
 *
 * @throws RegistryError `CONFIG_INVALID`
 */
export function openLimits(
  config: LimitsConfig,
  usual: { readonly maxManifestSize: number; readonly maxBlobSize: number },
): Limits {
  const rules = (config.rules ?? []).map((rule, index) => ({
    ...rule,
    patterns: rule.repositories.map((text) => patternOf(text, `limits.rules[${index}].repositories`)),
    immutable: (rule.immutableTags ?? []).map((text) => new TagPattern(text)),
  }));
  const shared = config.quotas ?? [];
  return (repository) => {
    const matching = rules.filter((rule) => rule.patterns.some((one) => one.matches(repository, undefined)));
    const smallest = (bounds: readonly (number | undefined)[], start: number): number =>
      Math.min(start, ...bounds.filter((bound) => bound !== undefined));
    return {
      maxManifestSize: smallest(
        matching.map((rule) => rule.maxManifestSize),
        usual.maxManifestSize,
      ),
      maxBlobSize: smallest(
        matching.map((rule) => rule.maxBlobSize),
        usual.maxBlobSize,
      ),
      quotas: [
        ...matching
          .filter((rule) => rule.maxBytes !== undefined || rule.maxTags !== undefined)
          .map(({ maxBytes, maxTags }) => ({ name: repository, below: false, maxBytes, maxTags })),
        ...shared
          .filter(({ under }) => repository === under || repository.startsWith(`${under}/`))
          .map(({ under, maxBytes, maxTags }) => ({ name: under, below: true, maxBytes, maxTags })),
        ...(config.quotasFor?.(repository) ?? []),
      ],
      isImmutable: (tag) => matching.some((rule) => rule.immutable.some((pattern) => pattern.matches(tag))),
    };
  };
}

export function patternOf(text: string, place: string): RepositoryPattern {
  const pattern = RepositoryPattern.parseWithoutUser(text);
  if (pattern instanceof RepositoryPattern) return pattern;
  throw new RegistryError(
    "CONFIG_INVALID",
    `Cannot use ${place} ${JSON.stringify(text)}: it ${pattern.fault}`,
  );
}

/** One sentence for the client's user. */
export function describeFault({ quota, kind, used, wanted }: QuotaFault): string {
  const limit = kind === "bytes" ? quota.maxBytes : quota.maxTags;
  const whose = quota.below ? `all repositories under ${JSON.stringify(quota.name)}` : "this repository";
  return `The quota of ${limit} ${kind} for ${whose} would be exceeded: ${used} are in use, ${wanted} more are wanted`;
}
