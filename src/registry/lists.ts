import { routes } from "../oci/index.ts";
import type { RegistryContext } from "./context.ts";
import type { Page } from "./metadata.ts";
import type { RegistryResponse } from "./request.ts";
import { linkToNext, refuse, respondJson, type ResponseHeaders } from "./respond.ts";

const MAX_PAGE = 10_000;
const CATALOG_PAGE = 100;

/** The tags of a repository, in byte order. */
export async function listTags(
  context: RegistryContext,
  name: string,
  query: URLSearchParams,
): Promise<RegistryResponse> {
  const page = parsePage(query, MAX_PAGE);
  if (page === undefined) return badNumber();
  const tags = await context.metadata.listTags(name, oneMore(page));
  if (tags === undefined)
    return refuse("NAME_UNKNOWN", `Nobody pushed to repository ${JSON.stringify(name)} yet`);
  const shown = tags.slice(0, page.limit);
  return respondJson({ name, tags: shown }, linkTo(routes.tags(name), page, { shown, all: tags }));
}

/** The repositories of the registry, in byte order. */
export async function listCatalog(
  context: RegistryContext,
  query: URLSearchParams,
): Promise<RegistryResponse> {
  const page = parsePage(query, CATALOG_PAGE);
  if (page === undefined) return badNumber();
  const repositories = await context.metadata.listRepositories(oneMore(page));
  const shown = repositories.slice(0, page.limit);
  return respondJson({ repositories: shown }, linkTo(routes.catalog(), page, { shown, all: repositories }));
}

/** `undefined` for an `n` that is no count. */
function parsePage(query: URLSearchParams, usual: number): Page | undefined {
  const count = query.get("n");
  if (count !== null && !/^\d+$/.test(count)) return undefined;
  const limit = count === null ? usual : Math.min(Number(count), MAX_PAGE);
  return { limit, after: query.get("last") ?? undefined };
}

/** One item beyond the page tells whether there is another one. */
function oneMore(page: Page): Page {
  return page.limit === 0 ? page : { ...page, limit: page.limit + 1 };
}

function linkTo(
  path: string,
  page: Page,
  items: { readonly shown: readonly string[]; readonly all: readonly string[] },
): ResponseHeaders {
  const last = items.shown.at(-1);
  if (last === undefined || items.all.length <= items.shown.length) return {};
  return linkToNext(path, { last, n: String(page.limit) });
}

function badNumber(): RegistryResponse {
  return refuse("PAGINATION_NUMBER_INVALID", "n must be a whole number that is not negative");
}
