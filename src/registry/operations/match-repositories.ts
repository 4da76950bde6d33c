import { RepositoryPattern } from "../access/pattern.ts";
import { RegistryError } from "../errors.ts";

/**
 * Whether a repository is one of those that patterns, as in policies, speak of; without patterns all are, and there
 * is nothing to ask.
 *
 * @throws RegistryError `CONFIG_INVALID`
 */
export function matchRepositories(
  patterns: readonly string[] | undefined,
): ((repository: string) => boolean) | undefined {
  const parsed = patterns?.map((text) => {
    const pattern = RepositoryPattern.parseWithoutUser(text);
    if (pattern instanceof RepositoryPattern) return pattern;
    throw new RegistryError(
      "CONFIG_INVALID",
      `Cannot use pattern ${JSON.stringify(text)}: it ${pattern.fault}`,
    );
  });
  return parsed && ((repository) => parsed.some((one) => one.matches(repository, undefined)));
}
