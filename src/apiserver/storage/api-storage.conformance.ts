import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { KubernetesObject } from "../../kubernetes/index.ts";
import { StorageError } from "./errors.ts";
import type { ApiStorage, Change, ObjectKey } from "./storage.ts";

export interface StorageSubject {
  /** An empty storage that keeps this many changes. */
  open(history: number): Promise<ApiStorage>;
}

/** What every {@link ApiStorage} promises. */
export function testApiStorage(name: string, subject: StorageSubject): void {
  describe(`${name} as an ApiStorage`, () => {
    it("finds what was written, with the revision as its resourceVersion", async () => {
      await using storage = await subject.open(100);
      const written = await storage.write({ key: key("a"), expected: 0, object: object("a") });
      const found = await storage.find(key("a"));
      assert.equal(found?.revision, written.revision);
      assert.equal(found.object.metadata.resourceVersion, String(written.revision));
      assert.deepEqual(JSON.parse(found.text), found.object);
      assert.ok(found.text.startsWith('{"kind":"ConfigMap","apiVersion":"v1","metadata":'));
      assert.equal(storage.revision, written.revision);
      assert.equal(await storage.find(key("b")), undefined);
      assert.equal(await storage.find({ ...key("a"), resource: "secrets" }), undefined);
    });

    it("gives every write the next revision, whichever object it is of", async () => {
      await using storage = await subject.open(100);
      const one = await storage.write({ key: key("a"), expected: 0, object: object("a") });
      const two = await storage.write({ key: key("b"), expected: 0, object: object("b") });
      const three = await storage.write({ key: key("a"), expected: one.revision, object: object("a", "2") });
      const four = await storage.write({ key: key("b"), expected: two.revision });
      const start = one.revision;
      assert.deepEqual(
        [two, three, four].map((each) => each.revision - start),
        [1, 2, 3],
      );
    });

    it("refuses a write that is based on anything but the newest state, and says what that is", async () => {
      await using storage = await subject.open(100);
      const first = await storage.write({ key: key("a"), expected: 0, object: object("a") });
      const second = await storage.write({
        key: key("a"),
        expected: first.revision,
        object: object("a", "2"),
      });
      for (const expected of [0, first.revision, second.revision + 1]) {
        for (const next of [{ object: object("a", "3") }, {}]) {
          await assert.rejects(storage.write({ key: key("a"), expected, ...next }), (error) => {
            assert.ok(error instanceof StorageError);
            assert.equal(error.code, "REVISION_CONFLICT");
            assert.equal(error.current?.revision, second.revision);
            return true;
          });
        }
      }
      await assert.rejects(storage.write({ key: key("gone"), expected: 0 }), { code: "REVISION_CONFLICT" });
      await assert.rejects(storage.write({ key: key("gone"), expected: 7, object: object("gone") }), {
        code: "REVISION_CONFLICT",
      });
      assert.equal(storage.revision, second.revision);
    });

    it("lets exactly one of many writers that come at once win", async () => {
      await using storage = await subject.open(100);
      const creates = Array.from({ length: 20 }, (_, at) =>
        storage.write({ key: key("a"), expected: 0, object: object("a", String(at)) }),
      );
      const settled = await Promise.allSettled(creates);
      assert.equal(settled.filter((one) => one.status === "fulfilled").length, 1);
      const current = await storage.find(key("a"));
      const winner = settled.find((one) => one.status === "fulfilled");
      assert.equal(winner?.value.revision, current?.revision);
    });

    it("lists a resource in the order of namespace and name, in one namespace or all", async () => {
      await using storage = await subject.open(100);
      for (const [namespace, name] of [
        ["b", "x"],
        ["a", "y"],
        ["b", "a"],
        ["a", "x-1"],
        ["a", "x"],
      ] as const) {
        await storage.write({ key: key(name, namespace), expected: 0, object: object(name) });
      }
      await storage.write({
        key: { ...key("z", "a"), resource: "secrets" },
        expected: 0,
        object: object("z"),
      });
      const all = await storage.list({ resource: "configmaps" });
      assert.deepEqual(places(all.items), ["a/x", "a/x-1", "a/y", "b/a", "b/x"]);
      assert.equal(all.revision, storage.revision);
      assert.deepEqual(places((await storage.list({ resource: "configmaps", namespace: "b" })).items), [
        "b/a",
        "b/x",
      ]);
      assert.deepEqual((await storage.list({ resource: "configmaps", namespace: "none" })).items, []);
    });

    it("lists in pages that are all of one revision, whatever happens between them", async () => {
      await using storage = await subject.open(100);
      const revisions = new Map<string, number>();
      for (const name of ["a", "b", "c", "d", "e"]) {
        revisions.set(
          name,
          (await storage.write({ key: key(name), expected: 0, object: object(name) })).revision,
        );
      }
      const scope = { resource: "configmaps" };
      const first = await storage.list(scope, { limit: 2 });
      assert.deepEqual([places(first.items), first.remaining], [["ns/a", "ns/b"], 3]);
      await storage.write({ key: key("c"), expected: revisions.get("c") ?? 0 });
      await storage.write({ key: key("d"), expected: revisions.get("d") ?? 0, object: object("d", "new") });
      await storage.write({ key: key("d2"), expected: 0, object: object("d2") });
      const rest = await storage.list(scope, {
        at: first.revision,
        after: { namespace: "ns", name: "b" },
        limit: 2,
      });
      assert.deepEqual(
        [places(rest.items), rest.remaining, rest.revision],
        [["ns/c", "ns/d"], 1, first.revision],
      );
      assert.deepEqual(rest.items[1]?.object["data"], { value: "" });
      const now = await storage.list(scope, { after: { namespace: "ns", name: "b" } });
      assert.deepEqual(places(now.items), ["ns/d", "ns/d2", "ns/e"]);
    });

    it("lists the past of a resource whose last object is gone", async () => {
      await using storage = await subject.open(100);
      const only = await storage.write({ key: key("a"), expected: 0, object: object("a") });
      await storage.write({ key: key("a"), expected: only.revision });
      const past = await storage.list({ resource: "configmaps" }, { at: only.revision });
      assert.deepEqual(places(past.items), ["ns/a"]);
      assert.deepEqual((await storage.list({ resource: "configmaps" })).items, []);
    });

    it("tells changes in order, with what was there before", async () => {
      await using storage = await subject.open(100);
      const start = storage.revision;
      const told: Change[] = [];
      const stop = storage.subscribe((changes) => told.push(...changes));
      const one = await storage.write({ key: key("a"), expected: 0, object: object("a", "1") });
      const two = await storage.write({ key: key("a"), expected: one.revision, object: object("a", "2") });
      const three = await storage.write({ key: key("a"), expected: two.revision });
      stop();
      await storage.write({ key: key("b"), expected: 0, object: object("b") });
      const expected = [
        ["ADDED", one.revision, undefined, "1"],
        ["MODIFIED", two.revision, one.revision, "2"],
        ["DELETED", three.revision, two.revision, "2"],
      ];
      assert.deepEqual(
        told.map((each) => outline(each)),
        expected,
      );
      const listed = await storage.listChanges(start, 3);
      assert.deepEqual(
        listed.map((each) => outline(each)),
        expected,
      );
      assert.deepEqual(await storage.listChanges(storage.revision, 10), []);
      assert.equal((await storage.listChanges(two.revision, 10)).length, 2);
    });

    it("shows a subscriber only what can be read", async () => {
      await using storage = await subject.open(100);
      const seen: boolean[] = [];
      const reads: Promise<void>[] = [];
      storage.subscribe((changes) => {
        for (const { stored } of changes) {
          assert.ok(storage.revision >= stored.revision);
          reads.push(
            storage.find(stored.key).then((found) => void seen.push(found?.revision === stored.revision)),
          );
        }
      });
      await Promise.all(
        ["a", "b", "c"].map((name) => storage.write({ key: key(name), expected: 0, object: object(name) })),
      );
      await Promise.all(reads);
      assert.deepEqual(seen, [true, true, true]);
    });

    it("forgets changes beyond its history, and says so", async () => {
      await using storage = await subject.open(10);
      const start = storage.revision;
      let { revision } = await storage.write({ key: key("a"), expected: 0, object: object("a", "0") });
      await storage.write({ key: key("kept"), expected: 0, object: object("kept") });
      for (let at = 1; at < 40; at += 1) {
        const next = await storage.write({
          key: key("a"),
          expected: revision,
          object: object("a", String(at)),
        });
        ({ revision } = next);
      }
      assert.ok(storage.compacted > start);
      assert.ok(storage.compacted <= storage.revision - 10);
      await assert.rejects(storage.listChanges(start, 10), { code: "REVISION_COMPACTED" });
      await assert.rejects(storage.list({ resource: "configmaps" }, { at: start + 1 }), {
        code: "REVISION_COMPACTED",
      });
      const kept = await storage.listChanges(storage.compacted, 100);
      assert.equal(kept.length, storage.revision - storage.compacted);
      assert.ok(kept.every((change) => change.type === "MODIFIED" && change.previous !== undefined));
      assert.deepEqual(places((await storage.list({ resource: "configmaps" })).items), ["ns/a", "ns/kept"]);
      const past = await storage.list({ resource: "configmaps" }, { at: storage.compacted });
      assert.deepEqual(places(past.items), ["ns/a", "ns/kept"]);
    });

    it("names what has expired, until it is written again or gone", async () => {
      await using storage = await subject.open(100);
      const one = await storage.write({ key: key("a"), expected: 0, object: object("a"), expires: 1000 });
      await storage.write({ key: key("b"), expected: 0, object: object("b"), expires: 2000 });
      await storage.write({ key: key("c"), expected: 0, object: object("c") });
      assert.deepEqual(places(await storage.listExpired(999, 10)), []);
      assert.deepEqual(places(await storage.listExpired(1000, 10)), ["ns/a"]);
      assert.deepEqual(places(await storage.listExpired(5000, 10)), ["ns/a", "ns/b"]);
      assert.deepEqual(places(await storage.listExpired(5000, 1)), ["ns/a"]);
      const two = await storage.write({
        key: key("a"),
        expected: one.revision,
        object: object("a"),
        expires: 9000,
      });
      assert.deepEqual(places(await storage.listExpired(5000, 10)), ["ns/b"]);
      const kept = await storage.write({
        key: key("a"),
        expected: two.revision,
        object: object("a", "kept"),
      });
      assert.deepEqual(places(await storage.listExpired(9000, 10)), ["ns/b", "ns/a"]);
      await storage.write({ key: key("a"), expected: kept.revision });
      assert.deepEqual(places(await storage.listExpired(9999, 10)), ["ns/b"]);
    });

    it("counts objects by resource", async () => {
      await using storage = await subject.open(100);
      const one = await storage.write({ key: key("a"), expected: 0, object: object("a") });
      await storage.write({ key: key("b"), expected: 0, object: object("b") });
      await storage.write({ key: key("a"), expected: one.revision });
      assert.equal(storage.count().get("configmaps"), 1);
    });

    it("finishes writes under way when it closes, and refuses later ones", async () => {
      const storage = await subject.open(100);
      const write = storage.write({ key: key("a"), expected: 0, object: object("a") });
      await storage.close();
      assert.equal((await write).key.name, "a");
      await assert.rejects(storage.write({ key: key("b"), expected: 0, object: object("b") }), {
        code: "CLOSED",
      });
      await storage.close();
    });
  });
}

export function key(name: string, namespace: string = "ns"): ObjectKey {
  return { resource: "configmaps", namespace, name };
}

export function object(name: string, value: string = ""): KubernetesObject {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { value } };
}

function places(items: readonly { readonly key: ObjectKey }[]): readonly string[] {
  return items.map(({ key: { namespace, name } }) => `${namespace}/${name}`);
}

function outline({ type, stored, previous }: Change): readonly unknown[] {
  return [type, stored.revision, previous?.revision, (stored.object["data"] as { value: string }).value];
}
