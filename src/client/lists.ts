/** Lists of names, page by page: the tags of a repository, the repositories of a registry. */
import type { SignalOptions } from "../oci/index.ts";
import { routes } from "../oci/index.ts";
import { pumpContent } from "./content-encoding.ts";
import { ClientError } from "./errors.ts";
import type { Call, Exchange } from "./exchange.ts";
import type { RegistryHost } from "./host.ts";
import type { HttpResponse } from "./http.ts";
import { refuseHtml } from "./manifests.ts";
import { nextPage } from "./pagination.ts";
import { below, nameOf, withQuery, type Place } from "./place.ts";
import { CATALOG_SCOPE, repositoryScope } from "./scope.ts";
import { collect } from "./socket-response.ts";

export interface ListOptions extends SignalOptions {
  /** Names asked for at once; the server decides without. */
  readonly pageSize?: number | undefined;
  /** Only what comes after this name. */
  readonly last?: string | undefined;
}

/** One page of names. Enough for tens of thousands. */
const PAGE_LIMIT = 8 * 1024 * 1024;

export function listTags(place: Place, options: ListOptions = {}): AsyncGenerator<string> {
  const call: Omit<Call, "target"> = {
    domain: place.domain,
    repository: place.repository,
    scopes: [repositoryScope(place.repository, ["pull"])],
    capabilities: ["pull", "resolve"],
    method: "GET",
    headers: { accept: "application/json" },
    action: `list tags of ${nameOf(place)}`,
    missing: "NAME_UNKNOWN",
    signal: options.signal,
  };
  return listPages(place.exchange, call, {
    ...options,
    path: below(routes.tags(place.repository)),
    member: "tags",
  });
}

export function listRepositories(
  exchange: Exchange,
  domain: string,
  options: ListOptions = {},
): AsyncGenerator<string> {
  const call: Omit<Call, "target"> = {
    domain,
    scopes: [CATALOG_SCOPE],
    capabilities: ["pull", "resolve"],
    method: "GET",
    headers: { accept: "application/json" },
    action: `list repositories of ${JSON.stringify(domain)}`,
    missing: "UNSUPPORTED",
    signal: options.signal,
  };
  return listPages(exchange, call, { ...options, path: below(routes.catalog()), member: "repositories" });
}

interface PagesOptions extends ListOptions {
  readonly path: string;
  readonly member: "tags" | "repositories";
}

async function* listPages(
  exchange: Exchange,
  call: Omit<Call, "target">,
  options: PagesOptions,
): AsyncGenerator<string> {
  const { path, member, pageSize } = options;
  let target: string | URL = withQuery(path, pageQuery(pageSize, options.last));
  let hosts: readonly RegistryHost[] | undefined;
  let last = options.last;
  const seen = new Set<string>();
  for (;;) {
    const page: { names: readonly string[]; next: URL | undefined; host: RegistryHost } = await exchange.ask(
      { ...call, target, hosts },
      async ({ response, host }) => ({
        names: await readNames(call, response, member),
        next: nextPage(response),
        host,
      }),
    );
    yield* page.names;
    const final = page.names.at(-1);
    // A page that is empty or ends where the last one did leads round in a circle.
    if (final === undefined || final === last) return;
    last = final;
    hosts = [page.host];
    if (page.next !== undefined) target = page.next;
    else if (pageSize !== undefined && page.names.length === pageSize)
      target = withQuery(path, pageQuery(pageSize, final));
    else return;
    if (seen.has(String(target))) return;
    seen.add(String(target));
  }
}

function pageQuery(
  pageSize: number | undefined,
  last: string | undefined,
): readonly (readonly [string, string])[] {
  return [
    ...(pageSize === undefined ? [] : [["n", String(pageSize)] as const]),
    ...(last === undefined ? [] : [["last", last] as const]),
  ];
}

async function readNames(
  call: Omit<Call, "target">,
  response: HttpResponse,
  member: "tags" | "repositories",
): Promise<readonly string[]> {
  refuseHtml(call, response);
  const bytes = await collect((consume) => pumpContent(response, consume), PAGE_LIMIT);
  const names = namesOf(bytes, member);
  if (names !== undefined) return names;
  throw new ClientError("RESPONSE_INVALID", `Cannot ${call.action}: the answer is not a list of ${member}`);
}

function namesOf(bytes: Uint8Array, member: string): readonly string[] | undefined {
  try {
    const document: unknown = JSON.parse(
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8"),
    );
    if (typeof document !== "object" || document === null || !(member in document)) return undefined;
    const names: unknown = (document as Record<string, unknown>)[member];
    if (names === null) return [];
    return Array.isArray(names) && names.every((name) => typeof name === "string") ? names : undefined;
  } catch {
    return undefined;
  }
}
