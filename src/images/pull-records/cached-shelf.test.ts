import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { CachedShelf } from "./cached-shelf.ts";
import type { Listing, RecordShelf } from "./record-shelf.ts";

interface Note {
  readonly key: string;
  readonly text: string;
}

class Below implements RecordShelf<Note> {
  readonly notes = new Map<string, Note>();
  finds = 0;

  async list(): Promise<Listing<Note>> {
    return { records: [...this.notes.values()] };
  }

  async find(key: string): Promise<Note | undefined> {
    this.finds++;
    await Promise.resolve();
    return this.notes.get(key);
  }

  async write(note: Note): Promise<void> {
    await Promise.resolve();
    this.notes.set(note.key, note);
  }

  async delete(key: string): Promise<void> {
    this.notes.delete(key);
  }
}

const keyOf = (note: Note): string => note.key;

test("what is known to be nowhere isn't looked for, until something had to be forgotten", async () => {
  const below = new Below();
  const cache = new CachedShelf(below, { capacity: 2, keyOf });
  await cache.list();
  assert.equal(cache.authoritative, true);
  assert.equal(await cache.find("a"), undefined);
  assert.equal(below.finds, 0);
  for (const key of ["a", "b"]) await cache.write({ key, text: key });
  await cache.find("a");
  await cache.write({ key: "c", text: "c" });
  assert.deepEqual(cache.keys, ["a", "c"], "b was used longest ago");
  assert.equal(cache.authoritative, false);
  assert.deepEqual(await cache.find("b"), { key: "b", text: "b" });
  assert.equal(below.finds, 1);
});

test("a cache of any size answers as what is below it", async () => {
  const step = fc.record({
    act: fc.constantFrom("find", "write", "delete", "list"),
    key: fc.constantFrom("a", "b", "c", "d"),
    text: fc.string({ maxLength: 2 }),
  });
  const property = fc.asyncProperty(
    fc.array(step, { maxLength: 40 }),
    fc.integer({ min: 1, max: 5 }),
    fc.boolean(),
    async (steps, capacity, together) => {
      const below = new Below();
      below.notes.set("a", { key: "a", text: "before" });
      const cache = new CachedShelf(below, { capacity, keyOf, stripes: 3 });
      await cache.list();
      const running: Promise<unknown>[] = [];
      for (const { act, key, text } of steps) {
        let done: Promise<unknown>;
        if (act === "write") done = cache.write({ key, text });
        else if (act === "delete") done = cache.delete(key);
        else done = act === "list" ? cache.list() : cache.find(key);
        if (!together) await done;
        running.push(done);
        if (!together) assert.deepEqual(await cache.find(key), below.notes.get(key));
      }
      await Promise.all(running);
      for (const key of ["a", "b", "c", "d"]) assert.deepEqual(await cache.find(key), below.notes.get(key));
      assert.ok(cache.keys.length <= capacity);
    },
  );
  await fc.assert(property, { numRuns: 300 });
});
