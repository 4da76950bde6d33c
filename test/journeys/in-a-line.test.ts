/** Rooms in a program that has no file: Node was told then what language the text is in, and so would be its threads. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { attempt } from "../processes.ts";

const REGISTRY = `
  const { openSqliteAccessStore, putUser, serveRegistry } = await import(${JSON.stringify(import.meta.resolve("../../src/registry/index.ts"))});
  const { digestOf } = await import(${JSON.stringify(import.meta.resolve("../../src/oci/index.ts"))});
  const { Secret } = await import(${JSON.stringify(import.meta.resolve("../../src/credentials/index.ts"))});
  const [dir] = process.argv.slice(1);
  const access = { policies: [{ repositories: ["**"], actions: ["pull", "push"], subjects: ["users"] }] };
  await using served = await serveRegistry({ dir, port: 0, access, onFailure: console.error });
  await using store = openSqliteAccessStore(dir + "/access.db");
  await putUser(store, "alice", { password: new Secret("one"), cost: 4 });
  const headers = { authorization: "Basic " + btoa("alice:one"), connection: "close" };
  const body = Buffer.alloc(1024 * 1024, 7);
  const at = "http://127.0.0.1:" + served.port + "/v2/app/blobs/uploads/?digest=" + digestOf(body);
  console.log((await fetch(at, { method: "POST", headers, body })).status);
`;

const UNPACK = `
  const { mkdirSync, writeFileSync } = await import("node:fs");
  const { FarUnpacker } = await import(${JSON.stringify(import.meta.resolve("../../src/unpack/far-unpacker.ts"))});
  const { UnpackWorkers } = await import(${JSON.stringify(import.meta.resolve("../../src/cri/containerd/unpack-worker.ts"))});
  const { digestOf } = await import(${JSON.stringify(import.meta.resolve("../../src/oci/index.ts"))});
  const [dir] = process.argv.slice(1);
  await using unpacker = new FarUnpacker(dir, {});
  console.log((await unpacker.finish()).leftOut.length);
  const [file, upper, empty] = [dir + "/layer.tar", dir + "/upper", Buffer.alloc(1024)];
  mkdirSync(upper);
  writeFileSync(file, empty);
  await using workers = new UnpackWorkers(1);
  console.log((await workers.run({ file, upper, lower: [], diffId: digestOf(empty) })).leftOut);
`;

test(
  "passwords are checked and large blobs taken in a program of one line",
  { timeout: 120_000 },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "dray-line-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const ended = await attempt(process.execPath, ["--input-type=module", "--eval", REGISTRY, "--", folder]);
    assert.deepEqual([ended.stdout, ended.stderr, ended.status], ["201\n", "", 0]);
  },
);

test("layers are unpacked in a program of one line", { timeout: 120_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "dray-line-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const ended = await attempt(process.execPath, ["--input-type=module", "--eval", UNPACK, "--", folder]);
  assert.deepEqual([ended.stdout, ended.stderr, ended.status], ["0\n0\n", "", 0]);
});
