import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";

import { DatabaseError, openDatabase } from "./sqlite.ts";

const dir = mkdtempSync(join(tmpdir(), "dray-sqlite-"));
after(() => rmSync(dir, { recursive: true }));

const MIGRATIONS = ["CREATE TABLE t (a INTEGER) STRICT"];

test("openDatabase() keeps what was committed, in a write-ahead log with full syncs", () => {
  const path = join(dir, "keep.db");
  {
    using database = openDatabase(path, { migrations: MIGRATIONS });
    database.run("INSERT INTO t VALUES (?)", 7);
    assert.equal(database.get<{ journal_mode: string }>("PRAGMA journal_mode")?.journal_mode, "wal");
    assert.equal(database.get<{ synchronous: number }>("PRAGMA synchronous")?.synchronous, 2);
  }
  using again = openDatabase(path, { migrations: MIGRATIONS });
  assert.equal(again.get<{ a: number }>("SELECT a FROM t")?.a, 7);
});

test("openDatabase() runs only the missing migrations, in order", () => {
  const path = join(dir, "steps.db");
  openDatabase(path, { migrations: MIGRATIONS }).close();
  const more = [...MIGRATIONS, "INSERT INTO t VALUES (1)", "UPDATE t SET a = a + 1"];
  openDatabase(path, { migrations: more }).close();
  using database = openDatabase(path, { migrations: more });
  assert.deepEqual(
    database.all<{ a: number }>("SELECT a FROM t").map((row) => row.a),
    [2],
  );
});

test("openDatabase() leaves the file as it was when a migration fails", () => {
  const path = join(dir, "broken.db");
  openDatabase(path, { migrations: MIGRATIONS }).close();
  assert.throws(() =>
    openDatabase(path, { migrations: [...MIGRATIONS, "INSERT INTO t VALUES (1); nonsense"] }),
  );
  using database = openDatabase(path, { migrations: MIGRATIONS });
  assert.deepEqual(database.all("SELECT a FROM t"), []);
});

test("openDatabase() refuses a schema from the future", () => {
  const path = join(dir, "newer.db");
  openDatabase(path, { migrations: [...MIGRATIONS, "CREATE TABLE u (b TEXT) STRICT"] }).close();
  assert.throws(
    () => openDatabase(path, { migrations: MIGRATIONS }),
    (error) =>
      error instanceof DatabaseError && error.code === "DATABASE_NEWER" && /newer dray/.test(error.message),
  );
});

test("openDatabase() names a damaged file and a missing folder", () => {
  const path = join(dir, "damaged.db");
  writeFileSync(path, "this is no database, however long it may be ".repeat(200));
  assert.throws(() => openDatabase(path, { migrations: MIGRATIONS }), { code: "DATABASE_DAMAGED" });
  assert.throws(() => openDatabase(join(dir, "no", "where.db"), { migrations: MIGRATIONS }), {
    code: "DATABASE_UNAVAILABLE",
  });
});

test("transaction() undoes everything when its body throws", () => {
  using database = openDatabase(":memory:", { migrations: MIGRATIONS });
  assert.throws(
    () =>
      database.transaction(() => {
        database.run("INSERT INTO t VALUES (1)");
        throw new Error("no");
      }),
    /^Error: no$/,
  );
  assert.deepEqual(database.all("SELECT a FROM t"), []);
  assert.equal(
    database.transaction(() => database.transaction(() => database.run("INSERT INTO t VALUES (1)").changes)),
    1,
  );
});

test("a second writer waits for its time and then gets DATABASE_BUSY", () => {
  const path = join(dir, "busy.db");
  using first = openDatabase(path, { migrations: MIGRATIONS });
  using second = openDatabase(path, { migrations: MIGRATIONS, timeout: 10 });
  first.transaction(() => {
    assert.throws(() => second.run("INSERT INTO t VALUES (1)"), { code: "DATABASE_BUSY" });
  });
  assert.equal(second.run("INSERT INTO t VALUES (1)").changes, 1);
});

test("revision() changes with commits of this and of other connections, and only with them", () => {
  const path = join(dir, "revision.db");
  using first = openDatabase(path, { migrations: MIGRATIONS });
  using second = openDatabase(path, { migrations: MIGRATIONS });
  const before = first.revision();
  second.all("SELECT a FROM t");
  assert.equal(first.revision(), before);
  second.run("INSERT INTO t VALUES (1)");
  const other = first.revision();
  assert.notEqual(other, before);
  first.run("INSERT INTO t VALUES (2)");
  assert.notEqual(first.revision(), other);
});

test("processes may create and migrate one file at the same moment, and print nothing", async () => {
  const path = join(dir, "race.db");
  const script = `
    import { openDatabase } from ${JSON.stringify(import.meta.resolve("./sqlite.ts"))};
    const migrations = ["CREATE TABLE t (a INTEGER) STRICT", "INSERT INTO t VALUES (0)"];
    // Each waits for all the others, whose every commit has to reach the disk.
    const database = openDatabase(${JSON.stringify(path)}, { migrations, timeout: 120_000 });
    for (let i = 0; i < 20; i++) database.transaction(() => database.run("UPDATE t SET a = a + 1"));
    database.close();`;
  const run = promisify(execFile);
  const results = await Promise.all(
    Array.from({ length: 4 }, () => run(process.execPath, ["--input-type=module", "--eval", script])),
  );
  for (const { stdout, stderr } of results) assert.equal(stdout + stderr, "");
  using database = openDatabase(path, { migrations: ["", ""] });
  assert.deepEqual({ ...database.get("SELECT a FROM t") }, { a: 80 });
});

test("revision() changes with statements that give back what they changed, and not where nothing did", () => {
  const path = join(dir, "returning.db");
  const migrations = ["CREATE TABLE t (a TEXT) STRICT"];
  using database = openDatabase(path, { migrations });
  using other = openDatabase(path, { migrations });
  const seen = new Set([database.revision()]);
  const steps = [
    (): unknown => database.run("INSERT INTO t VALUES ('x')"),
    (): unknown => database.get("INSERT INTO t VALUES ('y') RETURNING a"),
    (): unknown => database.all("UPDATE t SET a = 'z' RETURNING a"),
    (): unknown => other.run("DELETE FROM t WHERE a = 'z'"),
  ];
  for (const step of steps) {
    step();
    assert.equal(seen.has(database.revision()), false);
    seen.add(database.revision());
  }
  database.all("SELECT * FROM t");
  database.run("DELETE FROM t");
  assert.ok(seen.has(database.revision()));
});
