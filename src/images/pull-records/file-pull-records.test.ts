import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { FilePullRecords } from "./file-pull-records.ts";
import { recordFileName } from "./file-shelf.ts";

interface World extends AsyncDisposable {
  readonly root: string;
  readonly records: FilePullRecords;
  readonly warnings: readonly string[];
}

async function setUp(prepare: (folder: string) => Promise<void> = async () => {}): Promise<World> {
  const root = await mkdtemp(join(tmpdir(), "dray-pull-records-"));
  await prepare(join(root, "image_manager"));
  const warnings: string[] = [];
  const records = await FilePullRecords.open(root, { onWarning: (message) => void warnings.push(message) });
  return { root, records, warnings, [Symbol.asyncDispose]: () => rm(root, { recursive: true }) };
}

test("an intent is one line in a private file, and gone when deleted, twice if need be", async () => {
  await using world = await setUp();
  const { intents } = world.records;
  await intents.write({ image: "busybox" });
  const path = join(world.root, "image_manager", "pulling", recordFileName("busybox"));
  const text = '{"kind":"ImagePullIntent","apiVersion":"kubelet.config.k8s.io/v1beta1","image":"busybox"}\n';
  assert.equal(await readFile(path, "utf8"), text);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.equal((await stat(join(path, ".."))).mode & 0o777, 0o700);
  assert.deepEqual(await intents.find("busybox"), { image: "busybox" });
  await intents.delete("busybox");
  await intents.delete("busybox");
  assert.equal(await intents.find("busybox"), undefined);
  assert.deepEqual(await readdir(join(world.root, "image_manager", "pulling")), []);
});

test("list() gives the good records in the order of their files beside an error about the others", async () => {
  await using world = await setUp();
  const { pulled } = world.records;
  const folder = join(world.root, "image_manager", "pulled");
  const refs = Array.from({ length: 100 }, (_, i) => `ref-${i}`);
  for (const imageRef of refs) {
    await pulled.write({ imageRef, lastUpdatedTime: 1000, credentialMapping: new Map() });
  }
  await writeFile(join(folder, "sha256-0.tmp"), "a draft");
  await writeFile(join(folder, "README"), "not a record");
  await mkdir(join(folder, "sha256-folder"));
  const before = await pulled.list();
  assert.equal(before.error, undefined);
  const sorted = refs.toSorted((a, b) => (recordFileName(a) < recordFileName(b) ? -1 : 1));
  assert.deepEqual(
    before.records.map(({ imageRef }) => imageRef),
    sorted,
  );
  await writeFile(join(folder, "sha256-1"), "{");
  const { records, error } = await pulled.list();
  assert.equal(records.length, 100);
  assert.equal(
    error?.message,
    `failed to deserialize content of file "${join(folder, "sha256-1")}" into ImagePulledRecord: unexpected end of JSON input`,
  );
});

test("find() throws for a file it can't read, and overlooks one that speaks of something else", async () => {
  await using world = await setUp();
  const { intents, pulled } = world.records;
  const folder = join(world.root, "image_manager");
  await writeFile(join(folder, "pulled", recordFileName("a")), "?");
  await assert.rejects(pulled.find("a"), { code: "RECORD_UNREADABLE", message: /into ImagePulledRecord: / });
  await intents.write({ image: "a" });
  const text = await readFile(join(folder, "pulling", recordFileName("a")));
  await writeFile(join(folder, "pulling", recordFileName("b")), text);
  assert.equal(await intents.find("b"), undefined);
  await mkdir(join(folder, "pulling", recordFileName("c")));
  await assert.rejects(intents.find("c"), { message: /^failed to read ".*": open .*: is a directory$/ });
});

test("a record that can't take its place leaves no draft and says what the system says", async () => {
  await using world = await setUp();
  const folder = join(world.root, "image_manager", "pulling");
  await mkdir(join(folder, recordFileName("x"), "full"), { recursive: true });
  await assert.rejects(world.records.intents.write({ image: "x" }), {
    code: "RECORD_UNWRITABLE",
    message: /^rename .*\.tmp .*: is a directory$/,
  });
  assert.deepEqual(await readdir(folder), [recordFileName("x")]);
  await rm(folder, { recursive: true });
  await writeFile(folder, "in the way");
  await assert.rejects(world.records.intents.write({ image: "y" }), {
    code: "RECORD_UNWRITABLE",
    message: /^failed to create directory ".*pulling": mkdir .*pulling: file exists$/,
  });
});

test("two processes that write the same record leave one of the two, whole", async () => {
  await using world = await setUp();
  const other = await FilePullRecords.open(world.root);
  const names = Array.from({ length: 40 }, (_, i) => `app-${i}-${"x".repeat(i * 50)}`);
  await Promise.all(
    names.map((name, i) => {
      const { pulled } = i % 2 === 0 ? world.records : other;
      const credentialMapping = new Map([[name, { nodePodsAccessible: true }]]);
      return pulled.write({ imageRef: "ref", lastUpdatedTime: 1000, credentialMapping });
    }),
  );
  const record = await other.pulled.find("ref");
  assert.equal(record?.credentialMapping.size, 1);
  assert.ok(names.includes([...record.credentialMapping.keys()].join()));
  assert.deepEqual(await readdir(join(world.root, "image_manager", "pulled")), [recordFileName("ref")]);
});

test("opening tells of files it can't decode, and leaves them alone", async () => {
  const name = recordFileName("r");
  await using world = await setUp(async (folder) => {
    await mkdir(join(folder, "pulled"), { recursive: true });
    await writeFile(join(folder, "pulled", name), "[]");
  });
  const path = join(world.root, "image_manager", "pulled", name);
  assert.equal(await readFile(path, "utf8"), "[]");
  assert.equal(world.warnings.length, 1);
  assert.ok(world.warnings[0]?.startsWith(`failed to decode ImagePulledRecord from file "${path}": `));
});

test("look() finds what others keep, and makes nothing", async () => {
  const root = await mkdtemp(join(tmpdir(), "dray-pull-records-"));
  try {
    const looked = FilePullRecords.look(join(root, "nothing"));
    assert.equal(await looked.pulled.find("ref"), undefined);
    assert.deepEqual(await looked.intents.list(), { records: [] });
    assert.deepEqual(await readdir(root), []);
    const kept = await FilePullRecords.open(root);
    await kept.intents.write({ image: "busybox" });
    assert.deepEqual(await FilePullRecords.look(root).intents.find("busybox"), { image: "busybox" });
  } finally {
    await rm(root, { recursive: true });
  }
});
