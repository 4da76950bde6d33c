import type { RepositoryPattern } from "../access/pattern.ts";

/** Which repositories of an upstream are served here. */
export class RepositoryRules {
  readonly #allow: readonly RepositoryPattern[] | undefined;
  readonly #deny: readonly RepositoryPattern[];

  /** `allow` of nothing allows nothing; without it everything is allowed that isn't denied. */
  constructor(allow: readonly RepositoryPattern[] | undefined, deny: readonly RepositoryPattern[]) {
    this.#allow = allow;
    this.#deny = deny;
  }

  allows(repository: string): boolean {
    const matches = (pattern: RepositoryPattern): boolean => pattern.matches(repository, undefined);
    return !this.#deny.some(matches) && (this.#allow === undefined || this.#allow.some(matches));
  }
}
