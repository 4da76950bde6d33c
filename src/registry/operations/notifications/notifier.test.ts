import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { Secret } from "../../../internal/secret.ts";
import { MEDIA_TYPES } from "../../../oci/index.ts";
import { EMPTY_INDEX, TestRegistry } from "../../testing.ts";
import type { Endpoint } from "./deliver.ts";
import { Delivery } from "./deliver.ts";
import type { NotificationEvent } from "./event.ts";
import { Notifier, type NotifierOptions } from "./notifier.ts";
import { NotificationQueue } from "./queue.ts";

const folder = mkdtempSync(join(tmpdir(), "dray-notify-"));
after(() => rmSync(folder, { recursive: true }));

const ENDPOINT: Endpoint = {
  name: "builds",
  url: "http://receiver.test/hook?key=hunter2",
  headers: [["Authorization", new Secret("Bearer hunter3")]],
  // Of real time, which a busy machine may take: one that is over sends the event twice.
  timeout: 600_000,
  batch: 1,
  attempts: 3,
  backOff: { first: 1, most: 4 },
};

interface Received {
  readonly url: string;
  readonly headers: Headers;
  readonly events: readonly NotificationEvent[];
}

/** Answers with one status after the other, the last one for ever. */
class Receiver {
  readonly received: Received[] = [];
  readonly #statuses: (number | Error)[];

  constructor(...statuses: readonly (number | Error)[]) {
    this.#statuses = [...statuses];
  }

  readonly fetch: typeof fetch = async (input, init) => {
    const request = new Request(input, init);
    const body = (await request.json()) as { events: NotificationEvent[] };
    this.received.push({ url: request.url, headers: request.headers, events: body.events });
    const status = (this.#statuses.length > 1 ? this.#statuses.shift() : this.#statuses[0]) ?? 200;
    if (typeof status !== "number") throw status;
    return new Response(null, { status });
  };

  get actions(): string[] {
    return this.received.flatMap(({ events }) =>
      events.map(({ action, target }) => `${action} ${target.tag}`),
    );
  }

  async has(count: number): Promise<void> {
    while (this.received.length < count) await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

let files = 0;
const newPath = (): string => join(folder, `${++files}.db`);

function open(
  receiver: Receiver,
  options: Partial<NotifierOptions> = {},
): { readonly notifier: Notifier; readonly failures: string[] } {
  const failures: string[] = [];
  let ids = 0;
  const notifier = new Notifier({
    path: newPath(),
    endpoints: [{ ...ENDPOINT, actions: undefined, matches: undefined }],
    source: { addr: "here:5000", instanceID: "instance" },
    addressOf: () => "10.0.0.7",
    originOf: () => "https://registry.test",
    newId: () => `id-${++ids}`,
    fetch: receiver.fetch,
    random: () => 0.5,
    onFailure: (error) => failures.push((error as Error).message),
    ...options,
  });
  return { notifier, failures };
}

const TYPE = { "content-type": MEDIA_TYPES.ociIndex, "user-agent": "crane" };

async function push(registry: TestRegistry, tag: string): Promise<void> {
  assert.equal((await registry.put(`/v2/team/app/manifests/${tag}`, EMPTY_INDEX, TYPE)).status, 201);
}

test("an event is what receivers of docker-registry's know", async () => {
  const receiver = new Receiver(200);
  await using opened = new AsyncDisposableStack();
  const { notifier } = open(receiver);
  const registry = opened.use(new TestRegistry({ observers: [opened.use(notifier)] }));
  await push(registry, "1.0");
  await receiver.has(1);
  const [{ headers, events, url } = assert.fail("nothing came")] = receiver.received;
  assert.equal(url, ENDPOINT.url);
  assert.equal(headers.get("authorization"), "Bearer hunter3");
  assert.equal(headers.get("content-type"), "application/vnd.docker.distribution.events.v1+json");
  const digest = events[0]?.target.digest ?? "";
  assert.match(digest, /^sha256:/);
  assert.deepEqual(events, [
    {
      id: "id-2",
      timestamp: new Date(1_000_000).toISOString(),
      action: "push",
      request: { id: "id-1", addr: "10.0.0.7", host: "registry", method: "PUT", useragent: "crane" },
      actor: {},
      source: { addr: "here:5000", instanceID: "instance" },
      target: {
        mediaType: MEDIA_TYPES.ociIndex,
        size: 88,
        digest,
        length: 88,
        repository: "team/app",
        url: `https://registry.test/v2/team/app/manifests/${digest}`,
        tag: "1.0",
      },
    },
  ]);
});

test("pulls and deletes are told, too; lists, failures and questions are not", async () => {
  const receiver = new Receiver(200);
  await using opened = new AsyncDisposableStack();
  const registry = opened.use(new TestRegistry({ observers: [opened.use(open(receiver).notifier)] }));
  await push(registry, "1.0");
  await (await registry.send("GET", "/v2/team/app/manifests/1.0")).text();
  await registry.send("GET", "/v2/team/app/manifests/none");
  await registry.send("GET", "/v2/team/app/tags/list");
  await receiver.has(2);
  await registry.send("DELETE", "/v2/team/app/manifests/1.0");
  await receiver.has(3);
  assert.deepEqual(receiver.actions, ["push 1.0", "pull 1.0", "delete 1.0"]);
  assert.deepEqual(receiver.received[2]?.events[0]?.target, { repository: "team/app", tag: "1.0" });
});

test("an endpoint hears of the actions and repositories that it asked for", async () => {
  const receiver = new Receiver(200);
  await using opened = new AsyncDisposableStack();
  const filter = { actions: ["delete"], matches: (name: string) => name.startsWith("team/") } as const;
  const { notifier } = open(receiver, { endpoints: [{ ...ENDPOINT, ...filter }] });
  const registry = opened.use(new TestRegistry({ observers: [opened.use(notifier)] }));
  await push(registry, "1.0");
  await registry.put("/v2/other/manifests/1", EMPTY_INDEX, TYPE);
  await registry.send("DELETE", "/v2/other/manifests/1");
  await registry.send("DELETE", "/v2/team/app/manifests/1.0");
  await receiver.has(1);
  assert.deepEqual(receiver.actions, ["delete 1.0"]);
  assert.deepEqual(notifier.tallies()[0]?.endpoint, "builds");
});

test("a receiver that fails is asked again, in order, and nothing is lost over a restart", async () => {
  const path = newPath();
  const endpoints = [{ ...ENDPOINT, attempts: 1_000, actions: undefined, matches: undefined }];
  const down = new Receiver(Object.assign(new TypeError("fetch failed"), { cause: { code: "x" } }));
  {
    await using opened = new AsyncDisposableStack();
    const { notifier, failures } = open(down, { path, endpoints });
    const registry = opened.use(new TestRegistry({ observers: [opened.use(notifier)] }));
    for (const tag of ["1", "2", "3"]) await push(registry, tag);
    await down.has(4);
    assert.deepEqual(failures, ['Cannot notify endpoint "builds": it cannot be reached']);
    assert.equal(notifier.tallies()[0]?.queued, 3);
    assert.deepEqual([...new Set(down.actions)], ["push 1"]);
  }
  const up = new Receiver(503, 200);
  await using notifier = open(up, { path, endpoints }).notifier;
  await up.has(4);
  assert.deepEqual(up.actions, ["push 1", "push 1", "push 2", "push 3"]);
  while (notifier.tallies()[0]?.queued !== 0) await new Promise(setImmediate);
});

test("of two processes one delivers, and the other takes over", async () => {
  const path = newPath();
  const [first, second] = [new Receiver(200), new Receiver(200)];
  const one = open(first, { path }).notifier;
  const two = open(second, { path }).notifier;
  await using registry = new TestRegistry({ observers: [two] });
  await push(registry, "1");
  await one[Symbol.asyncDispose]();
  await push(registry, "2");
  await push(registry, "3");
  const heard = (): number => first.received.length + second.received.length;
  while (heard() < 3) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.deepEqual([...first.actions, ...second.actions], ["push 1", "push 2", "push 3"]);
  await two[Symbol.asyncDispose]();
});

test("an event that fails too often is given up, one that is refused for what it is at once; both are kept", async () => {
  const path = newPath();
  using queue = new NotificationQueue(path, { queued: 10, dead: 2 });
  const failures: string[] = [];
  const deliveryTo = (receiver: Receiver): Delivery =>
    new Delivery(ENDPOINT, {
      queue,
      fetch: receiver.fetch,
      clock: () => 5_000,
      random: () => 0.5,
      onFailure: (error) => failures.push((error as Error).message),
    });
  const { signal } = new AbortController();
  const add = (...events: readonly string[]): void => {
    const queued = events.map((id) => ({ endpoint: "builds", event: JSON.stringify({ id }) }));
    queue.add(queued, 1_000);
  };
  add("a", "b");
  const failing = deliveryTo(new Receiver(500));
  assert.deepEqual(
    [await failing.step(signal), await failing.step(signal), await failing.step(signal)],
    [1, 2, 4],
  );
  assert.equal(failing.failures, 3);
  assert.deepEqual(
    queue.listDead(10).map(({ event, reason, diedAt }) => [event, reason, diedAt]),
    [['{"id":"a"}', "it answered 500", 5_000]],
  );
  const picky = deliveryTo(new Receiver(400, 200));
  assert.deepEqual([await picky.step(signal), await picky.step(signal)], [0, "empty"]);
  assert.deepEqual(failures, [
    'Cannot notify endpoint "builds": it answered 500',
    'Cannot notify endpoint "builds": gave up event 1 after 3 attempts: it answered 500',
    'Cannot notify endpoint "builds": gave up event 2 after 1 attempts: it answered 400',
  ]);
  assert.equal(queue.revive(6_000), 2);
  const [tally] = queue.tallies();
  assert.deepEqual([tally?.queued, tally?.dead, tally?.oldest], [2, 0, 6_000]);
  assert.doesNotMatch(failures.join(), /hunter/);
});

test("several events go together, and one by one after a failure; Retry-After is honoured up to the most", async () => {
  using queue = new NotificationQueue(newPath(), { queued: 10, dead: 10 });
  const sizes: number[] = [];
  const answers = [429, 200, 200];
  const delivery = new Delivery(
    { ...ENDPOINT, batch: 5, backOff: { first: 1_000, most: 60_000 } },
    {
      queue,
      fetch: async (_, init) => {
        sizes.push((JSON.parse(init?.body as string) as { events: unknown[] }).events.length);
        return new Response(null, { status: answers.shift() ?? 200, headers: { "retry-after": "20" } });
      },
      clock: () => 0,
      random: () => 0.5,
      onFailure: () => {},
    },
  );
  queue.add(
    Array.from({ length: 4 }, (_, id) => ({ endpoint: "builds", event: `{"id":${id}}` })),
    0,
  );
  const { signal } = new AbortController();
  assert.equal(await delivery.step(signal), 20_000);
  while ((await delivery.step(signal)) !== "empty");
  assert.deepEqual(sizes, [4, 1, 3]);
});

test("a queue that is full loses the oldest, and says how many", () => {
  using queue = new NotificationQueue(newPath(), { queued: 20, dead: 1 });
  for (let id = 0; id < 50; id++) queue.add([{ endpoint: "a", event: `{"id":${id}}` }], id);
  queue.add([{ endpoint: "b", event: "{}" }], 0);
  const [a, b] = queue.tallies();
  assert.deepEqual([a?.queued, a?.dropped, a?.oldest], [20, 30, 30]);
  assert.deepEqual([b?.queued, b?.dropped], [1, 0]);
});
