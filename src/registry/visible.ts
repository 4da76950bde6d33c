import { seek, type RepositoryView } from "./access.ts";
import type { Page } from "./metadata.ts";

const FETCH = 200;

/**
 * Goes through a sorted list of repositories and yields what a view shows of it. What lies between the view's
 * prefixes is skipped, not read, so the cost follows what the caller may see rather than what there is.
 */
export async function* visibleRepositories(
  view: RepositoryView,
  list: (page: Page) => Promise<readonly string[]>,
  from: { readonly after?: string | undefined; readonly fetch?: number | undefined } = {},
): AsyncGenerator<string, void> {
  const limit = from.fetch ?? FETCH;
  let after = seek(view, from.after ?? "");
  while (after !== undefined) {
    const names: readonly string[] = await list({ after, limit });
    let jumped = false;
    for (const name of names) {
      const next = seek(view, name);
      if (await view.sees(name)) yield name;
      after = next;
      // Beyond the prefix this page began in: the next one may be far away.
      jumped = next !== name;
      if (jumped) break;
    }
    if (!jumped && names.length < limit) return;
  }
}
