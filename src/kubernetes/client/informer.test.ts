import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { KubernetesObject } from "../objects/object.ts";
import { KubernetesClient } from "./client.ts";
import { Informer } from "./informer.ts";
import type { Change } from "./object-cache.ts";
import { impatientClock, podOf, PODS } from "./testing.ts";

interface Entry {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: KubernetesObject;
}

/** A server with a history, whose connections break where the script says. */
class History {
  readonly entries: Entry[] = [];
  readonly objects = new Map<string, KubernetesObject>();
  /** Versions up to here are forgotten. */
  horizon = 0;
  #uid = 0;

  change(name: string, remove: boolean): void {
    const version = this.entries.length + 1;
    const old = this.objects.get(name);
    if (old === undefined && remove) return this.change(name, false);
    const uid = old?.metadata.uid ?? `uid-${++this.#uid}`;
    const object = podOf(name, version, { uid }) as KubernetesObject;
    if (remove) this.objects.delete(name);
    else this.objects.set(name, object);
    this.entries.push({ type: remove ? "DELETED" : old === undefined ? "ADDED" : "MODIFIED", object });
  }

  /** @param cut bytes after which the connection breaks */
  answer(request: Request, cut: number): Response {
    const query = new URL(request.url).searchParams;
    if (query.get("watch") === null) {
      const metadata = { resourceVersion: String(this.entries.length) };
      const items = [...this.objects.values()].map(({ metadata }) => ({ metadata }));
      return Response.json({ kind: "PodList", apiVersion: "v1", metadata, items });
    }
    const from = Number(query.get("resourceVersion"));
    if (from < this.horizon) {
      const status = {
        kind: "Status",
        apiVersion: "v1",
        metadata: {},
        status: "Failure",
        reason: "Expired",
        code: 410,
      };
      return Response.json(status, { status: 410 });
    }
    const text = this.entries
      .slice(from)
      .map((entry) => `${JSON.stringify(entry)}\n`)
      .join("");
    const bytes = Buffer.from(text).subarray(0, cut);
    return new Response(
      new ReadableStream({
        start(controller) {
          if (bytes.length > 0) controller.enqueue(bytes);
          if (cut % 2 === 0) controller.close();
        },
        pull(controller) {
          controller.error(new TypeError("terminated"));
        },
      }),
    );
  }
}

const STEPS = fc.array(
  fc.record({
    name: fc.constantFrom("a", "b", "c", "d"),
    remove: fc.boolean(),
    /** Changes that happen before the server is asked next. */
    burst: fc.nat(3),
    cut: fc.nat(600),
    forget: fc.nat(9),
  }),
  { maxLength: 40 },
);

test("random cuts of a watch never lose or repeat a change", async () => {
  const property = fc.asyncProperty(STEPS, fc.boolean(), async (steps, forgetful) => {
    const history = new History();
    const script = [...steps];
    const controller = new AbortController();
    const changes: Change[] = [];
    let ended = 0;
    const client = new KubernetesClient({
      server: "http://embedded",
      clock: impatientClock(),
      random: () => 0,
      transport: (request) => {
        const step = script.shift();
        for (let count = 0; count <= (step?.burst ?? -1); count++) {
          history.change(step?.name ?? "a", step?.remove === true && count === 0);
        }
        if (forgetful && step?.forget === 0) history.horizon = history.entries.length;
        // When the script is over, two whole answers are enough to catch up.
        if (step === undefined && ++ended > 4) controller.abort();
        return Promise.resolve(history.answer(request, step?.cut ?? 1_000_000));
      },
    });
    const informer = new Informer(client.resource(PODS), { limit: 0 });
    informer.subscribe((change) => changes.push(change));
    await informer.run(controller.signal);

    const replayed = new Map<string, KubernetesObject>();
    for (const change of changes) {
      const { name = "", uid, resourceVersion } = change.object.metadata;
      const known = replayed.get(name);
      assert.equal(known === undefined, change.type === "added", "added once, then changed or deleted");
      assert.ok(change.type === "added" || known?.metadata.uid === uid, "changes are about what is there");
      assert.ok(
        change.type !== "updated" || Number(resourceVersion) > Number(known?.metadata.resourceVersion),
        "nothing comes twice, and nothing goes back",
      );
      if (change.type === "deleted") replayed.delete(name);
      else replayed.set(name, change.object);
    }
    assert.deepEqual(Object.fromEntries(replayed), Object.fromEntries(history.objects));
    assert.deepEqual(new Set(informer.list()), new Set(history.objects.values()));
    if (!forgetful) {
      // The first list skips what was before it; from there on, each change comes.
      const first = steps[0] === undefined ? 0 : steps[0].burst + 1;
      const later = changes.filter(({ object }) => Number(object.metadata.resourceVersion) > first);
      assert.equal(later.length, history.entries.length - Math.min(first, history.entries.length));
    }
  });
  await fc.assert(property, { numRuns: 150 });
});

test("an informer finds objects by name, namespace and its own indexes, as they change", async () => {
  const history = new History();
  history.change("a", false);
  history.change("b", false);
  const controller = new AbortController();
  const later = Promise.withResolvers<void>();
  const errors: unknown[] = [];
  let asked = 0;
  const client = new KubernetesClient({
    server: "http://embedded",
    clock: impatientClock(),
    transport: async (request) => {
      asked++;
      if (asked === 1) throw new TypeError("fetch failed");
      if (asked === 3) {
        await later.promise;
        history.change("b", true);
        history.change("c", false);
      }
      if (asked > 3) controller.abort();
      return history.answer(request, 1_000_000);
    },
  });
  const informer = new Informer(client.resource(PODS), {
    indexes: { uid: ({ metadata }) => [metadata.uid ?? ""] },
    onError: (error) => errors.push(error),
  });
  const heard: string[] = [];
  assert.equal(informer.hasSynced, false);
  const running = informer.run(controller.signal);
  await informer.synced(controller.signal);
  informer.subscribe((change) => heard.push(`${change.type} ${change.object.metadata.name}`));
  informer.subscribe(() => {
    throw new Error("a listener's fault");
  });
  assert.deepEqual(heard, ["added a", "added b"]);
  assert.equal(informer.by("uid", "uid-2")[0]?.metadata.name, "b");
  later.resolve();
  await running;
  assert.deepEqual(heard.slice(2), ["deleted b", "added c"]);
  assert.deepEqual(informer.by("uid", "uid-2"), []);
  assert.deepEqual(
    informer.list("default").map(({ metadata }) => metadata.name),
    ["a", "c"],
  );
  assert.equal(informer.get("c", "default")?.kind, "Pod");
  assert.equal(informer.list("elsewhere").length, 0);
  assert.ok(errors.some((error) => error instanceof TypeError));
  assert.throws(() => informer.by("nothing", "x"), TypeError);
});

test("what was made anew while nobody looked is told as deleted and added", async () => {
  const history = new History();
  history.change("a", false);
  const controller = new AbortController();
  let asked = 0;
  const client = new KubernetesClient({
    server: "http://embedded",
    clock: impatientClock(),
    transport: (request) => {
      asked++;
      if (asked === 2) {
        history.change("a", true);
        history.change("a", false);
        history.horizon = history.entries.length;
      }
      if (asked === 4) controller.abort();
      return Promise.resolve(history.answer(request, 1_000_000));
    },
  });
  const informer = new Informer(client.resource(PODS));
  const heard: string[] = [];
  informer.subscribe(({ type, object }) => heard.push(`${type} ${object.metadata.uid}`));
  await informer.run(controller.signal);
  assert.deepEqual(heard, ["added uid-1", "deleted uid-1", "added uid-2"]);
});
