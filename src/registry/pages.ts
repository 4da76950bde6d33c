export interface Page {
  /** The key of the last item that was had. */
  readonly after?: string | undefined;
  readonly limit: number;
}

/** All that is listed, one page at a time; what comes or goes meanwhile may be among it. */
export async function* pages<Item>(
  list: (page: Page) => Promise<readonly Item[]>,
  keyOf: (item: Item) => string,
  limit: number = 1_000,
): AsyncGenerator<Item, void> {
  for (let after: string | undefined; ;) {
    const page: readonly Item[] = await list({ after, limit });
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < limit) return;
    after = keyOf(last);
  }
}
