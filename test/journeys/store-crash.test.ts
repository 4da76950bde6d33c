import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

import { type Digest, digestAlgorithm, DigestHasher } from "../../src/oci/index.ts";
import { openStore, type Store } from "../../src/store/index.ts";
import { randomContent, randomNumbers, slowSource } from "./store-crash-writer.ts";

const ROUNDS = 25;
const WRITER = fileURLToPath(import.meta.resolve("./store-crash-writer.ts"));

const root = mkdtempSync(join(tmpdir(), "dray-crash-"));
after(() => rmSync(root, { recursive: true }));

interface Writer {
  readonly process: ChildProcess;
  readonly lines: string[];
  /** Resolves when the writer has acknowledged something, or died. */
  readonly started: Promise<unknown>;
}

function startWriter(folder: string, ...args: readonly number[]): Writer {
  const child = spawn(process.execPath, [WRITER, folder, ...args.map(String)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: string[] = [];
  let rest = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    lines.push(...parts);
  });
  return { process: child, lines, started: Promise.race([once(child.stdout, "data"), once(child, "close")]) };
}

async function kill(writer: Writer): Promise<void> {
  const closed = once(writer.process, "close");
  writer.process.kill("SIGKILL");
  await closed;
}

/** Waits until `count` more acknowledgements came in from any writer. */
async function acknowledgements(writers: readonly Writer[], count: number): Promise<void> {
  const total = (): number => writers.reduce((sum, writer) => sum + writer.lines.length, 0);
  for (const goal = total() + count; total() < goal;) {
    await Promise.race(writers.map((writer) => once(writer.process.stdout as NodeJS.ReadableStream, "data")));
  }
}

async function verifies(store: Store, digest: Digest): Promise<boolean> {
  const hasher = new DigestHasher(digestAlgorithm(digest));
  const stream = await store.open({ mediaType: "", digest, size: 0 });
  await stream.pump((chunk) => void hasher.update(chunk));
  return hasher.digest() === digest;
}

test("killed at random moments, a store loses nothing acknowledged and shows nothing unverified", async (t) => {
  const seed = Number(process.env["DRAY_TEST_SEED"] ?? Math.floor(Math.random() * 1e9));
  t.diagnostic(`seed ${seed}`);
  const folder = join(root, "random");
  const random = randomNumbers(seed);
  const acknowledged = new Map<string, string>();
  const verified = new Set<Digest>();
  for (let round = 0; round < ROUNDS; round++) {
    const writers = [1, 2].map((which) => startWriter(folder, seed + round * 10 + which));
    try {
      await Promise.all(writers.map((writer) => writer.started));
      for (const writer of writers) {
        await acknowledgements(writers, Math.floor(random() * 4));
        // Busy for a part of a millisecond or some, to end between acknowledgements as well.
        for (let turns = Math.floor(random() * 2_000); turns > 0; turns--) await Promise.resolve();
        await kill(writer);
      }
    } finally {
      for (const writer of writers) writer.process.kill("SIGKILL");
    }
    for (const line of writers.flatMap((writer) => writer.lines)) {
      const [kind, name, digest] = line.split(" ");
      if (kind === "blob") acknowledged.set(`blob ${name}`, name ?? "");
      else acknowledged.set(`name ${name}`, digest ?? "");
    }
    await using store = await openStore(folder);
    for await (const { digest } of store.blobs.list()) {
      if (verified.has(digest)) continue;
      assert.ok(
        await verifies(store, digest),
        `seed ${seed}, round ${round}: ${digest} is visible but wrong`,
      );
      verified.add(digest);
    }
    for (const [what, digest] of acknowledged) {
      const problem = `seed ${seed}, round ${round}: ${what} was acknowledged and is gone`;
      assert.ok((await store.blobs.find(digest as Digest)) !== undefined, problem);
      if (what.startsWith("name "))
        assert.equal(store.names.find(what.slice(5))?.target.digest, digest, problem);
    }
    for await (const { key } of store.blobs.listIngests()) await (await store.blobs.ingest(key)).close();
  }
  t.diagnostic(`${acknowledged.size} writes acknowledged, ${verified.size} blobs verified`);
  assert.ok(acknowledged.size > ROUNDS, `seed ${seed}: only ${acknowledged.size} writes in all rounds`);
});

test("what a killed writer had received is continued, at once, by the next", async () => {
  const folder = join(root, "resume");
  const seed = Array.from({ length: 400 }, (_, at) => at).find(
    (at) => firstContent(at).bytes.length > 1_000_000,
  );
  const writer = startWriter(folder, seed ?? 0, 800_000);
  await writer.started;
  await kill(writer);
  assert.deepEqual(writer.lines, ["stopped"]);
  const content = firstContent(seed ?? 0);
  await using store = await openStore(folder);
  assert.equal(await store.has(content.blob), false);
  const received = (await store.blobs.findIngest(content.blob.digest))?.offset ?? 0;
  // All but what was still being gathered into one write.
  assert.ok(received > 700_000, `only ${received} bytes left`);
  const source = slowSource(content.bytes);
  const offsets: (number | undefined)[] = [];
  await store.write(content.blob, {
    open(descriptor, options) {
      offsets.push(options?.offset);
      return source.open(descriptor, options);
    },
  });
  assert.deepEqual(offsets, [received]);
  assert.ok(await verifies(store, content.blob.digest));
});

/** What a writer with this seed writes first. */
function firstContent(seed: number): ReturnType<typeof randomContent> {
  return randomContent(Math.floor(randomNumbers(seed)() * 400));
}
