import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";

import { key, object, testApiStorage } from "./api-storage.conformance.ts";
import { SqliteStorage } from "./sqlite-storage.ts";
import type { ApiStorage } from "./storage.ts";

testApiStorage("SqliteStorage in memory", {
  open: (history) => Promise.resolve(SqliteStorage.open(":memory:", { history })),
});

testApiStorage("SqliteStorage in a file, opened again before every test", {
  open: async (history) => {
    const folder = await mkdtemp(join(tmpdir(), "dray-storage-"));
    const path = join(folder, "api.db");
    await SqliteStorage.open(path, { history }).close();
    const storage: ApiStorage = SqliteStorage.open(path, { history });
    const close = storage.close.bind(storage);
    storage.close = async (): Promise<void> => {
      await close();
      await rm(folder, { recursive: true, force: true });
    };
    return storage;
  },
});

describe("SqliteStorage", () => {
  it("keeps objects, revisions, the past and expiry over a restart", async () => {
    await using place = await temporaryFile();
    const before = SqliteStorage.open(place.path, { history: 100 });
    const one = await before.write({ key: key("a"), expected: 0, object: object("a", "1"), expires: 5 });
    const two = await before.write({ key: key("b"), expected: 0, object: object("b", "1") });
    await before.write({ key: key("b"), expected: two.revision, object: object("b", "2") });
    const gone = await before.write({ key: key("c"), expected: 0, object: object("c") });
    const end = await before.write({ key: key("c"), expected: gone.revision });
    await before.close();

    await using after = SqliteStorage.open(place.path, { history: 100 });
    assert.equal(after.revision, end.revision);
    assert.equal((await after.find(key("a")))?.text, one.text);
    assert.equal(await after.find(key("c")), undefined);
    const changes = await after.listChanges(one.revision, 10);
    assert.deepEqual(
      changes.map(({ type, stored }) => `${type} ${stored.key.name}`),
      ["ADDED b", "MODIFIED b", "ADDED c", "DELETED c"],
    );
    const past = await after.list({ resource: "configmaps" }, { at: gone.revision });
    assert.deepEqual(
      past.items.map((each) => each.key.name),
      ["a", "b", "c"],
    );
    assert.deepEqual(
      (await after.listExpired(5, 10)).map((each) => each.key.name),
      ["a"],
    );
    const next = await after.write({ key: key("d"), expected: 0, object: object("d") });
    assert.equal(next.revision, end.revision + 1);
  });

  it("puts writes that come together into few commits", async () => {
    await using place = await temporaryFile();
    await using storage = SqliteStorage.open(place.path);
    let batches = 0;
    storage.subscribe(() => void (batches += 1));
    const names = Array.from({ length: 200 }, (_, at) => `n${at}`);
    await Promise.all(
      names.map((name) => storage.write({ key: key(name), expected: 0, object: object(name) })),
    );
    assert.equal(batches, 1);
    assert.equal(storage.count().get("configmaps"), 200);
  });

  it("tells each of several writes to one object in one commit what it is based on", async () => {
    await using storage = SqliteStorage.open(":memory:");
    const first = await storage.write({ key: key("a"), expected: 0, object: object("a", "1") });
    const [second, third] = await Promise.allSettled([
      storage.write({ key: key("a"), expected: first.revision, object: object("a", "2") }),
      storage.write({ key: key("a"), expected: first.revision, object: object("a", "3") }),
    ]);
    assert.equal(second.status, "fulfilled");
    assert.equal(third.status, "rejected");
    assert.deepEqual((await storage.find(key("a")))?.object["data"], { value: "2" });
  });
});

async function temporaryFile(): Promise<AsyncDisposable & { readonly path: string }> {
  const folder = await mkdtemp(join(tmpdir(), "dray-storage-"));
  return {
    path: join(folder, "api.db"),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
