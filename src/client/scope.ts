/**
 * Token scopes: `resource-type:resource-name:action,action`.
 *
 * ```text
 * repository:library/ubuntu:pull        fetch
 * repository:team/app:pull,push         push
 * repository:team/app:delete            delete
 * registry:catalog:*                    list repositories
 * ```
 */

export const CATALOG_SCOPE = "registry:catalog:*";

/** The scope for actions on a repository (the path after the host); empty when there is nothing to ask for. */
export function repositoryScope(repository: string, actions: readonly string[]): string {
  const cleaned = cleanActions(actions);
  return repository === "" || cleaned.length === 0 ? "" : `repository:${repository}:${cleaned.join(",")}`;
}

/** The scope for pulling from, or pushing to, `host[:port]/path`. */
export function locatorScope(locator: string, options: { readonly push?: boolean } = {}): string {
  const repository = locator.slice(locator.indexOf("/") + 1);
  return repositoryScope(repository, options.push === true ? ["pull", "push"] : ["pull"]);
}

/** Sorted, each once, without empty ones; `*` stands for all others. */
export function cleanActions(actions: readonly string[]): readonly string[] {
  const unique = new Set(actions);
  unique.delete("");
  return unique.has("*") ? ["*"] : [...unique].toSorted();
}

/** One scope per resource with all its actions, sorted. Scopes of unknown shape stay as they are; those without actions go. */
export function cleanScopes(scopes: readonly string[]): readonly string[] {
  const kept: string[] = [];
  const actionsOf = new Map<string, string[]>();
  for (const scope of scopes) {
    const colon = scope.lastIndexOf(":");
    // Alone, a scope needs no resource name to have its actions tidied.
    if (colon === -1 || (scope.indexOf(":") === colon && scopes.length > 1)) {
      kept.push(scope);
      continue;
    }
    const resource = scope.slice(0, colon);
    const actions = actionsOf.get(resource);
    const more = scope.slice(colon + 1).split(",");
    if (actions === undefined) actionsOf.set(resource, more);
    else actions.push(...more);
  }
  for (const [resource, all] of actionsOf) {
    const actions = cleanActions(all);
    if (actions.length > 0) kept.push(`${resource}:${actions.join(",")}`);
  }
  return kept.toSorted();
}

/** What the caller needs and what the challenge names, as sorted distinct strings. */
export function tokenScopes(needed: readonly string[], demanded: readonly string[]): readonly string[] {
  return [...new Set([...needed, ...demanded])].filter((scope) => scope !== "").toSorted();
}

/**
 * The scopes of the next token after a registry asked for more: resources it named come first, because some
 * token services look only at the first.
 */
export function scopesToRequest(needed: readonly string[], demanded: readonly string[]): readonly string[] {
  const all = cleanScopes(tokenScopes(needed, demanded));
  const had = new Set(cleanScopes(needed));
  const newly = all.filter((scope) => !had.has(scope));
  return [...newly, ...all.filter((scope) => had.has(scope))];
}
