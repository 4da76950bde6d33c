import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { PinFolder } from "./pin-folder.ts";

test("pins go by their image's whole name, survive the process, and go one by one", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "dray-pins-"));
  t.after(() => rm(folder, { recursive: true }));
  const now = Date.UTC(2026, 0, 2);
  assert.deepEqual(await new PinFolder(folder).list(), []);
  assert.deepEqual(await readdir(folder), [], "looking makes nothing");
  assert.equal(await new PinFolder(folder).add("busybox:1.36", now), true);
  assert.equal(await new PinFolder(folder).add("docker.io/library/busybox:1.36", now + 5), false);
  assert.equal(await new PinFolder(folder).add("alpine", now), true);
  assert.deepEqual(await new PinFolder(folder).list(), [
    { image: "docker.io/library/alpine:latest", pinnedAt: now },
    { image: "docker.io/library/busybox:1.36", pinnedAt: now },
  ]);
  assert.equal(await new PinFolder(folder).remove("alpine:latest"), true);
  assert.equal(await new PinFolder(folder).remove("alpine"), false);
  assert.equal((await new PinFolder(folder).list()).length, 1);
  await assert.rejects(new PinFolder(folder).add("UPPER", now), { name: "InvalidReferenceError" });
});

test("a file that is no pin pins nothing and stops nobody", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "dray-pins-"));
  t.after(() => rm(folder, { recursive: true }));
  const pins = new PinFolder(folder);
  await pins.add("alpine", 0);
  for (const [name, text] of [
    [`sha256-${"0".repeat(64)}`, "{"],
    [`sha256-${"1".repeat(64)}`, "null"],
    [`sha256-${"2".repeat(64)}`, '{"image":7}'],
    ["notes.txt", "mine"],
  ] as const) {
    await writeFile(join(folder, "pins", name), text);
  }
  assert.deepEqual(
    (await pins.list()).map(({ image }) => image),
    ["docker.io/library/alpine:latest"],
  );
});
