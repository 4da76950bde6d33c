import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";

import { Secret } from "../internal/secret.ts";
import { type ContentSource, type ContentStream, digestOf, type Descriptor } from "../oci/index.ts";
import { FileBlobStore } from "../store/index.ts";
import type { ClientEvent } from "./events.ts";
import { ConfiguredHosts } from "./hosts-resolver.ts";
import { RegistryClient, type RegistryClientOptions } from "./registry-client.ts";
import { SplitBudget, type SplitOptions } from "./split-options.ts";
import { SplitStream } from "./split-stream.ts";

const KB = 1024;
const blob = Buffer.from(Array.from({ length: 2000 * KB }, (_, i) => (i * 7 + (i >> 8) * 13) & 0xff));
const descriptor: Descriptor = {
  mediaType: "application/x-thing",
  digest: digestOf(blob),
  size: blob.length,
};
const SPLIT: SplitOptions = {
  patience: 0,
  threshold: 100 * KB,
  partSize: 100 * KB,
  connections: 4,
  helpers: 6,
};

interface Asked {
  readonly url: string;
  readonly from: number;
  /** The byte behind the last one; undefined for the rest. */
  readonly to: number | undefined;
  readonly authorization: string | undefined;
}

type Answer = (asked: Asked, response: ServerResponse, earlier: number) => boolean | void;

/**
 * A registry whose first connection sends 60 KB and then nothing until the client, whose events it hears, has the head
 * of a part: which of two connections is quicker is nothing to build on. `answer` may do it otherwise, and says so by
 * returning true.
 */
class SlowRegistry implements AsyncDisposable {
  readonly asked: Asked[] = [];
  readonly #part = Promise.withResolvers<void>();
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  readonly #answer: Answer;

  constructor(answer: Answer = () => {}) {
    this.#answer = answer;
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  get domain(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get parts(): readonly Asked[] {
    return this.asked.filter(({ to }) => to !== undefined);
  }

  readonly hear = ({ type }: ClientEvent): void => {
    if (type === "response" && this.parts.length > 0) this.#part.resolve();
  };

  async [Symbol.asyncDispose](): Promise<void> {
    this.#part.resolve();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    const from = Number(range?.[1] ?? 0);
    const to = range?.[2] === undefined || range[2] === "" ? undefined : Number(range[2]) + 1;
    const { authorization } = request.headers;
    const asked = { url: request.url ?? "", from, to, authorization };
    const earlier = this.asked.filter((other) => other.from === from && other.to === to).length;
    this.asked.push(asked);
    if (this.#answer(asked, response, earlier) === true) return;
    const body = blob.subarray(from, to);
    const contentRange = `bytes ${from}-${from + body.length - 1}/${blob.length}`;
    response.writeHead(range === null ? 200 : 206, {
      "content-length": body.length,
      ...(range !== null && { "content-range": contentRange }),
    });
    if (to !== undefined) return void response.end(body);
    response.write(body.subarray(0, 60 * KB));
    await this.#part.promise;
    response.end(body.subarray(60 * KB));
  }
}

interface Read {
  readonly bytes: Buffer;
  readonly events: readonly ClientEvent[];
}

function clientOf(registry: SlowRegistry, options: Partial<RegistryClientOptions> = {}): RegistryClient {
  return new RegistryClient({
    hosts: new ConfiguredHosts({ defaultScheme: "http" }),
    sleep: async () => {},
    random: () => 0.5,
    // All the same how long something took: a part begins half way between what came and the end.
    clock: () => 0,
    split: SPLIT,
    onEvent: registry.hear,
    ...options,
  });
}

interface ReadOptions extends Partial<RegistryClientOptions> {
  readonly offset?: number;
  readonly times?: number;
  /** Where redirects lead. */
  readonly storage?: SlowRegistry;
}

async function read(registry: SlowRegistry, options: ReadOptions = {}): Promise<Read> {
  const events: ClientEvent[] = [];
  const onEvent = (event: ClientEvent): void => {
    events.push(event);
    registry.hear(event);
    options.storage?.hear(event);
  };
  await using client = clientOf(registry, { onEvent, ...options });
  const parts: Buffer[] = [];
  for (let time = 0; time < (options.times ?? 1); time++) {
    parts.length = 0;
    const stream = await client
      .repository(registry.domain, "a/b")
      .open(descriptor, { offset: options.offset ?? 0 });
    await stream.pump((chunk) => void parts.push(Buffer.from(chunk)));
    await stream.close();
  }
  return { bytes: Buffer.concat(parts), events };
}

const splits = ({ events }: Read): number => events.filter(({ type }) => type === "split").length;

test("a large blob that comes slowly is read over several connections, in order", async () => {
  await using registry = await new SlowRegistry().listen();
  const result = await read(registry);
  assert.equal(splits(result), 1);
  assert.ok(result.bytes.equals(blob));
  const { parts } = registry;
  assert.ok(parts.length >= 9, `${parts.length} parts`);
  // Each part once, one behind the other, to the end.
  const sorted = parts.toSorted((a, b) => a.from - b.from);
  sorted.forEach(({ to }, index) => assert.equal(to, sorted[index + 1]?.from ?? blob.length));
});

test("what is small, or comes fast, or must not be split comes over one connection", async () => {
  const clock = { now: 0 };
  for (const options of [
    { split: false as const },
    { split: { ...SPLIT, threshold: blob.length + 1 } },
    { split: { ...SPLIT, patience: 1000 }, clock: () => clock.now },
    // 60 KB in a second, and one more second is less than anybody's patience.
    { split: { ...SPLIT, patience: 60_000, threshold: 1 }, clock: () => (clock.now += 10) },
  ]) {
    await using registry = await new SlowRegistry((_, response) => {
      response.end(blob);
      return true;
    }).listen();
    const result = await read(registry, options);
    assert.ok(result.bytes.equals(blob));
    assert.deepEqual([registry.asked.length, splits(result)], [1, 0]);
  }
});

for (const [name, head] of [
  ["sends everything", { status: 200 }],
  ["sends another part", { status: 206, range: "bytes 0-9/2048000" }],
  ["sends more than was asked for", { status: 206, range: "bytes 1054000-1999999/2048000" }],
  ["doesn't say how large the blob is", { status: 206, range: "bytes FROM-TO/*" }],
  ["knows another size", { status: 206, range: "bytes FROM-TO/2048001" }],
  ["says nothing about the range", { status: 206 }],
  ["refuses ranges", { status: 416 }],
] as const) {
  test(`a registry that ${name} is read over one connection, and not asked again`, async () => {
    await using registry = await new SlowRegistry(({ from, to }, response) => {
      if (to === undefined) return false;
      const range =
        "range" in head ? head.range.replace("FROM", String(from)).replace("TO", String(to - 1)) : "";
      response.writeHead(head.status, range === "" ? {} : { "content-range": range }).end("x".repeat(10));
      return true;
    }).listen();
    const result = await read(registry, { times: 2 });
    assert.ok(result.bytes.equals(blob));
    assert.deepEqual([splits(result), registry.parts.length], [0, 1]);
    assert.equal(registry.asked.length, 3);
  });
}

test("a part that is cut, or shorter than asked for, is read on from where it ended", async () => {
  await using registry = await new SlowRegistry(({ from, to }, response) => {
    if (to === undefined || to - from <= 20 * KB) return false;
    const cut = from % 3 === 0;
    const body = blob.subarray(from, to - 20 * KB);
    const last = cut ? to - 1 : from + body.length - 1;
    response.writeHead(206, {
      "content-range": `bytes ${from}-${last}/${blob.length}`,
      "content-length": cut ? to - from : body.length,
    });
    response.write(body, () => (cut ? response.destroy() : response.end()));
    return true;
  }).listen();
  const result = await read(registry);
  assert.ok(result.bytes.equals(blob));
  assert.equal(splits(result), 1);
  const whole = registry.asked.filter(({ from, to }) => to === undefined && from > 0);
  assert.deepEqual(whole, []);
});

test("when parts fail for good, one connection brings the rest from where the bytes handed on end", async () => {
  let served = 0;
  await using registry = await new SlowRegistry(({ to }, response) => {
    if (to === undefined || ++served <= 5) return false;
    response.writeHead(429).end();
    return true;
  }).listen();
  const result = await read(registry, { retry: { attempts: 2 } });
  assert.ok(result.bytes.equals(blob));
  const [rest, ...others] = registry.asked.filter(({ from, to }) => to === undefined && from > 0);
  assert.deepEqual(others, []);
  // Nothing that was handed on is asked for again.
  const resumed = result.events.find((event) => event.type === "resume");
  assert.equal(rest?.from, resumed?.type === "resume" ? resumed.offset : Number.NaN);
  assert.ok((rest?.from ?? 0) >= 1000 * KB, String(rest?.from));
});

test("each part follows redirects, and shows nobody else who we are", async () => {
  await using elsewhere = await new SlowRegistry().listen();
  await using registry = await new SlowRegistry(({ authorization, url }, response) => {
    if (authorization === undefined) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="r"' }).end();
    } else response.writeHead(307, { location: `http://${elsewhere.domain}${url}?signed` }).end();
    return true;
  }).listen();
  const credential = { kind: "basic", username: "u", password: new Secret("p") } as const;
  const result = await read(registry, {
    storage: elsewhere,
    credentials: { find: async () => [{ credential, origin: { kind: "argument", label: "test" } }] },
  });
  assert.ok(result.bytes.equals(blob));
  assert.equal(splits(result), 1);
  assert.ok(elsewhere.parts.length >= 9);
  assert.deepEqual([...new Set(elsewhere.asked.map(({ authorization }) => authorization))], [undefined]);
});

test("a consumer's failure ends every connection and is passed on", async () => {
  await using registry = await new SlowRegistry().listen();
  await using client = clientOf(registry);
  for (const limit of [10 * KB, 1500 * KB]) {
    const stream = await client.repository(registry.domain, "a/b").open(descriptor);
    let bytes = 0;
    const full = new Error("the disk is full");
    await assert.rejects(
      stream.pump(async (chunk) => {
        if ((bytes += chunk.length) > limit) throw full;
      }),
      full,
    );
    await stream.close();
  }
});

/**
 * Connections as the client sees them: a server hears of an end only after whoever came next. Each brings a few KB a
 * turn of the event loop, so that one connection is never through before a helper has begun.
 */
class CountedConnections {
  readonly budget: SplitBudget;
  opened = 0;
  busiest = 0;
  busy = 0;

  constructor(split: SplitOptions) {
    this.budget = new SplitBudget(split);
  }

  async pull(): Promise<void> {
    const stream = new SplitStream(this.#open(0, undefined), {
      descriptor,
      offset: 0,
      signal: undefined,
      budget: this.budget,
      domain: "registry.example",
      clock: () => 0,
      onEvent: () => {},
      open: async (from, end, signal) => this.#open(from, end, signal),
    });
    const bytes: Buffer[] = [];
    await stream.pump((chunk) => void bytes.push(Buffer.from(chunk)));
    await stream.close();
    assert.ok(Buffer.concat(bytes).equals(blob));
  }

  #open(from: number, end: number | undefined, signal?: AbortSignal): ContentStream {
    this.opened++;
    this.busiest = Math.max(this.busiest, ++this.busy);
    let open = true;
    const close = (): void => {
      if (open) this.busy--;
      open = false;
    };
    return {
      pump: async (consume) => {
        try {
          for (let at = from; at < (end ?? blob.length); at += 4 * KB) {
            await turn();
            signal?.throwIfAborted();
            await consume(blob.subarray(at, Math.min(at + 4 * KB, end ?? blob.length)));
          }
        } finally {
          close();
        }
      },
      close: async () => close(),
    };
  }
}

test("connections of a blob stay within their number", async () => {
  const connections = new CountedConnections(SPLIT);
  await connections.pull();
  assert.equal(connections.busiest, SPLIT.connections);
  assert.deepEqual([connections.busy, connections.budget.free], [0, SPLIT.helpers]);
});

test("helpers of all blobs together stay within their number, and are given back", async () => {
  const connections = new CountedConnections({ ...SPLIT, helpers: 2 });
  await Promise.all([connections.pull(), connections.pull(), connections.pull()]);
  assert.equal(connections.busiest, 3 + 2);
  assert.deepEqual([connections.busy, connections.budget.free], [0, 2]);
  const before = connections.opened;
  await connections.pull();
  assert.ok(connections.opened > before + 1, "helpers came back");
});

test("clients that were given the same budget keep to it together", async () => {
  const budget = new SplitBudget({ ...SPLIT, helpers: 1 });
  await using registry = await new SlowRegistry((asked, response) => {
    // Whoever finds no helper free isn't kept waiting.
    if (asked.to !== undefined || budget.free > 0) return false;
    response.end(blob.subarray(asked.from));
    return true;
  }).listen();
  assert.ok(budget.take(), "for another client's blob");
  const alone = await read(registry, { split: budget });
  assert.ok(alone.bytes.equals(blob));
  assert.deepEqual(registry.parts, []);
  budget.give(1);
  const helped = await read(registry, { split: budget });
  assert.ok(helped.bytes.equals(blob));
  assert.ok(registry.parts.length > 0);
  assert.equal(budget.free, 1);
});

test("a pull that was cut off goes on behind what is on disk, over several connections again", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dray-split-"));
  try {
    await using store = await FileBlobStore.open(folder);
    const stop = new AbortController();
    const half = Promise.withResolvers<void>();
    await using first = await new SlowRegistry(({ from }, response) => {
      if (from < 1500 * KB) return false;
      void half.promise.then(() => {
        stop.abort(new Error("killed"));
        response.destroy();
      });
      return true;
    }).listen();
    const sourceOf = (registry: SlowRegistry): ContentSource =>
      clientOf(registry).repository(registry.domain, "a/b");
    const writing = store.write(descriptor, sourceOf(first), {
      signal: stop.signal,
      onProgress: (bytes) => bytes >= 1000 * KB && half.resolve(),
    });
    await assert.rejects(writing, /killed/);
    const kept = (await store.findIngest(descriptor.digest))?.offset ?? 0;
    assert.ok(kept >= 1000 * KB, `${kept} bytes were kept`);

    await using second = await new SlowRegistry().listen();
    assert.equal(await store.write(descriptor, sourceOf(second)), "written");
    assert.equal(Math.min(...second.asked.map(({ from }) => from)), kept);
    assert.ok(second.parts.length > 0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
