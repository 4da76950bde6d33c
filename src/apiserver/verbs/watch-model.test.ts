import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";

import { configMap, openTestApi, type TestApi, TestWatch } from "../testing.ts";

const MAPS = "/api/v1/namespaces/default/configmaps";
const SELECTOR = "labelSelector=tier%3Dfront";

type Step =
  | { readonly kind: "write"; readonly name: string; readonly tier: string; readonly value: number }
  | { readonly kind: "delete"; readonly name: string }
  | { readonly kind: "restart" }
  /** Another watcher begins, from a list it just made or from nothing. */
  | { readonly kind: "watch"; readonly selected: boolean; readonly listed: boolean };

const name = fc.constantFrom("a", "b", "c", "d");
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant("write" as const),
        name,
        tier: fc.constantFrom("front", "back"),
        value: fc.nat(3),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("delete" as const), name }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("watch" as const),
        selected: fc.boolean(),
        listed: fc.boolean(),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: "restart" as const }) },
  ),
  { minLength: 10, maxLength: 40 },
);

describe("whoever follows a watch", () => {
  it("ends up with what a list shows, whatever happened and however often it had to come back", async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (sequence) => {
        await using api = await openTestApi({ history: 1000 });
        const mirrors: Mirror[] = [];
        for (const step of sequence) await take(api, mirrors, step);
        mirrors.push(await Mirror.begin(api, { selected: false, listed: false }));
        const end = await api.call("POST", MAPS, {
          body: configMap("zz-end", { labels: { tier: "front" } }),
        });
        assert.equal(end.code, 201);
        for (const mirror of mirrors) {
          await mirror.follow();
          const query = mirror.selected ? `?${SELECTOR}` : "";
          const { body } = await api.call("GET", `${MAPS}${query}`);
          const listed = body.items?.map((one) => [one.metadata.name, one.metadata.resourceVersion]);
          assert.deepEqual(mirror.state(), listed);
        }
      }),
      { numRuns: 25 },
    );
  });
});

async function take(api: TestApi, mirrors: Mirror[], step: Step): Promise<void> {
  switch (step.kind) {
    case "write": {
      const object = {
        ...configMap(step.name, { labels: { tier: step.tier } }),
        data: { v: String(step.value) },
      };
      const { code } = await api.call("PUT", `${MAPS}/${step.name}`, { body: object });
      if (code === 404) await api.call("POST", MAPS, { body: object });
      return;
    }
    case "delete":
      await api.call("DELETE", `${MAPS}/${step.name}`);
      return;
    case "restart":
      return await api.restart();
    case "watch":
      mirrors.push(await Mirror.begin(api, step));
  }
}

/** A client's copy of a collection, kept by a watch. */
class Mirror {
  readonly selected: boolean;
  readonly #api: TestApi;
  readonly #objects = new Map<string, string>();
  #last: string | undefined;
  #watch: TestWatch;

  static async begin(
    api: TestApi,
    { selected, listed }: { readonly selected: boolean; readonly listed: boolean },
  ): Promise<Mirror> {
    const known = new Map<string, string>();
    let version: string | undefined;
    if (listed) {
      const { body } = await api.call("GET", `${MAPS}${selected ? `?${SELECTOR}` : ""}`);
      version = body.metadata.resourceVersion;
      for (const one of body.items ?? [])
        known.set(one.metadata.name ?? "", one.metadata.resourceVersion ?? "");
    }
    return new Mirror(api, { selected, known, version, watch: await open(api, selected, version) });
  }

  private constructor(
    api: TestApi,
    it: {
      readonly selected: boolean;
      readonly known: ReadonlyMap<string, string>;
      readonly version: string | undefined;
      readonly watch: TestWatch;
    },
  ) {
    this.#api = api;
    this.selected = it.selected;
    this.#objects = new Map(it.known);
    this.#last = it.version;
    this.#watch = it.watch;
  }

  /** Until the object that was made last. */
  async follow(): Promise<void> {
    while (!this.#objects.has("zz-end")) {
      const event = await this.#watch.next();
      if (event === undefined) {
        this.#watch = await open(this.#api, this.selected, this.#last);
        // Who has no place to go on from begins anew.
        if (this.#last === undefined) this.#objects.clear();
        continue;
      }
      const { name: key = "", resourceVersion = "" } = event.object.metadata;
      this.#last = resourceVersion;
      if (event.type === "BOOKMARK") continue;
      const has = this.#objects.has(key);
      assert.equal(event.type === "ADDED", !has, `${event.type} ${key}`);
      if (event.type === "DELETED") this.#objects.delete(key);
      else this.#objects.set(key, resourceVersion);
    }
    await this.#watch.cancel();
  }

  state(): readonly (readonly [string, string])[] {
    return [...this.#objects].toSorted(([one], [other]) => (one < other ? -1 : 1));
  }
}

async function open(api: TestApi, selected: boolean, version: string | undefined): Promise<TestWatch> {
  const query = [
    "watch=1&allowWatchBookmarks=true",
    ...(selected ? [SELECTOR] : []),
    ...(version === undefined ? [] : [`resourceVersion=${version}`]),
  ];
  return new TestWatch(await api.send("GET", `${MAPS}?${query.join("&")}`));
}
