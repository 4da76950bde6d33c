import { routes } from "../oci/index.ts";
import { SEES_ALL } from "./access.ts";
import type { RegistryContext } from "./context.ts";
import type { Page } from "./metadata.ts";
import type { RegistryRequest, RegistryResponse } from "./request.ts";
import { linkToNext, refuse, respondJson, type ResponseHeaders } from "./respond.ts";
import { visibleRepositories } from "./visible.ts";

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

/** The repositories that the caller may pull from, in byte order; the others take no place in any page. */
export async function listCatalog(
  context: RegistryContext,
  request: RegistryRequest,
  query: URLSearchParams,
): Promise<RegistryResponse> {
  const page = parsePage(query, CATALOG_PAGE);
  if (page === undefined) return badNumber();
  const repositories = await listVisible(context, request, oneMore(page));
  const shown = repositories.slice(0, page.limit);
  return respondJson({ repositories: shown }, linkTo(routes.catalog(), page, { shown, all: repositories }));
}

async function listVisible(
  context: RegistryContext,
  request: RegistryRequest,
  page: Page,
): Promise<readonly string[]> {
  const view = await context.access.viewFor(request);
  if (view === SEES_ALL) return await context.metadata.listRepositories(page);
  const found: string[] = [];
  if (page.limit === 0) return found;
  const list = (wanted: Page): Promise<readonly string[]> => context.metadata.listRepositories(wanted);
  for await (const name of visibleRepositories(view, list, { after: page.after, fetch: page.limit + 1 })) {
    found.push(name);
    if (found.length === page.limit) break;
  }
  return found;
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
