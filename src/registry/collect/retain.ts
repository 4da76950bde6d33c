import type { Digest } from "../../oci/index.ts";
import { isDigest } from "../../oci/index.ts";
import type { Limits } from "../limits.ts";
import type { RegistryMetadata } from "../metadata.ts";
import { GRACE } from "./collect.ts";
import type { Loose, LooseKind, TagRecord } from "./garbage.ts";
import { Pace, type PaceOptions } from "./pace.ts";
import type { Retention, TagVerdict } from "./retention.ts";

const PAGE = 1_000;
const BATCH = 64;

export interface RetainScope {
  readonly metadata: RegistryMetadata;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Says which tags are immutable. */
  readonly limits: Limits;
}

export interface ManifestVerdict {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** `untagged`: no tag or index names it; `dangling`: nor is there what it refers to. */
  readonly reason: "untagged" | "dangling";
}

export type RetainVerdict =
  | ({ readonly kind: "tag"; readonly repository: string } & TagVerdict)
  | ({ readonly kind: "manifest"; readonly repository: string; readonly keep: false } & ManifestVerdict);

export interface RetainOptions extends PaceOptions {
  readonly rules: (repository: string) => Retention | undefined;
  /** Only say what would go; no by default. */
  readonly dryRun?: boolean | undefined;
  /** As for the collection; no manifest goes earlier. */
  readonly grace?: number | undefined;
  readonly onVerdict?: ((verdict: RetainVerdict) => void) | undefined;
}

export interface RetainResult {
  readonly finished: boolean;
  /** What went, or would go, by repository. */
  readonly repositories: ReadonlyMap<string, { readonly tags: number; readonly manifests: number }>;
}

/**
 * Lets tags and manifests go that no rule keeps. What only they kept is loose from then on, and left to the
 * collection. A tag that somebody moves meanwhile stays.
 */
export async function retain(scope: RetainScope, options: RetainOptions): Promise<RetainResult> {
  const repositories = new Map<string, { tags: number; manifests: number }>();
  const pace = new Pace(options);
  const runner = new Retaining(scope, options, pace);
  let after: string | undefined;
  for (;;) {
    const names: readonly string[] = await scope.metadata.listRepositories({ after, limit: PAGE });
    for (const name of names) {
      const rules = options.rules(name);
      if (rules === undefined) continue;
      if (pace.isOver) return { finished: false, repositories };
      const tags = rules.speaksOfTags ? await runner.dropTags(name, rules) : 0;
      const untagged = await runner.dropManifests(name, "manifest", rules.untaggedAfter);
      const dangling = await runner.dropManifests(name, "referrer", rules.danglingAfter);
      const manifests = untagged + dangling;
      if (tags + manifests > 0) repositories.set(name, { tags, manifests });
    }
    await pace.step();
    if (names.length < PAGE) return { finished: true, repositories };
    after = names.at(-1);
  }
}

class Retaining {
  readonly #scope: RetainScope;
  readonly #options: RetainOptions;
  readonly #pace: Pace;

  constructor(scope: RetainScope, options: RetainOptions, pace: Pace) {
    this.#scope = scope;
    this.#options = options;
    this.#pace = pace;
  }

  async dropTags(repository: string, rules: Retention): Promise<number> {
    const { garbage } = this.#scope.metadata;
    const tags = await this.#listTags(repository);
    const verdicts = rules.decide(tags, {
      now: this.#scope.clock(),
      isImmutable: this.#scope.limits(repository).isImmutable,
      hasManifest: await this.#findDescribed(repository, tags),
    });
    const records = new Map(tags.map((tag) => [tag.name, tag]));
    const going = verdicts.filter((verdict) => !verdict.keep);
    for (const verdict of verdicts) this.#options.onVerdict?.({ kind: "tag", repository, ...verdict });
    if (this.#options.dryRun === true) return going.length;
    let dropped = 0;
    for (let at = 0; at < going.length; at += BATCH) {
      const batch = going.slice(at, at + BATCH).map(({ name }) => records.get(name) as TagRecord);
      dropped += (await garbage.dropTags(repository, batch)).length;
      await this.#pace.step();
    }
    return dropped;
  }

  async dropManifests(repository: string, kind: LooseKind, age: number | undefined): Promise<number> {
    if (age === undefined) return 0;
    const { garbage } = this.#scope.metadata;
    const { grace = GRACE, dryRun = false } = this.#options;
    const now = this.#scope.clock();
    const before = now - Math.max(age, grace);
    // What it named was untagged for as long, and needs but the time of grace.
    const since = now - Math.max(0, age - grace);
    let dropped = 0;
    let after: Loose | undefined;
    for (;;) {
      const page = await garbage.listLoose({ kind, before, repository, after, limit: BATCH });
      const gone = dryRun ? page : await garbage.dropLooseManifests(page, { before, since });
      for (const { digest, size } of gone) {
        const reason = kind === "manifest" ? "untagged" : "dangling";
        this.#options.onVerdict?.({ kind: "manifest", repository, digest, size, keep: false, reason });
      }
      dropped += gone.length;
      await this.#pace.step();
      if (page.length < BATCH) return dropped;
      after = page.at(-1);
    }
  }

  async #listTags(repository: string): Promise<TagRecord[]> {
    const tags: TagRecord[] = [];
    for (;;) {
      const after = tags.at(-1)?.name;
      const page = await this.#scope.metadata.garbage.listTagRecords(repository, { after, limit: PAGE });
      tags.push(...page);
      await this.#pace.step();
      if (page.length < PAGE) return tags;
    }
  }

  /** Looks up what tags of the old way describe, before anything is decided. */
  async #findDescribed(repository: string, tags: readonly TagRecord[]): Promise<(digest: string) => boolean> {
    const here = new Set<string>();
    for (const { name } of tags) {
      const match = /^(sha256|sha512)-([0-9a-f]+)/.exec(name);
      const digest = match === null ? "" : `${match[1]}:${match[2]}`;
      if (!isDigest(digest) || here.has(digest)) continue;
      if ((await this.#scope.metadata.findManifest(repository, digest)) !== undefined) here.add(digest);
    }
    return (digest) => here.has(digest);
  }
}
