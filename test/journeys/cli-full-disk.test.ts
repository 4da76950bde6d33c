/** The node's store on a disk that others filled to its last byte: what is removed from it has to be written down there. */
import assert from "node:assert/strict";
import { mkdtemp, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

import { run } from "../../src/cli/run.ts";
import { createMemoryContext } from "../../src/cli/testing.ts";
import { StoreImages } from "../../src/images/index.ts";
import { localPlatform } from "../../src/cli/settings.ts";
import { openStore } from "../../src/store/index.ts";
import { attempt } from "../processes.ts";
import { bytesOf, CriRegistry } from "./cri-registry.ts";

const LIMIT = { timeout: 300_000 };

/** A small disk; `undefined` where this user may not make one. */
async function mountDisk(t: TestContext): Promise<string | undefined> {
  const disk = await mkdtemp(join(tmpdir(), "dray-full-"));
  const mount = ["-t", "tmpfs", "-o", "size=8m", "none", disk];
  const mounted = await attempt("mount", mount).catch(() => undefined);
  t.after(async () => {
    if (mounted?.status === 0) await attempt("umount", ["-l", disk]);
    await rm(disk, { recursive: true, force: true });
  });
  return mounted?.status === 0 ? disk : undefined;
}

/** Others take all room there is. */
async function fill(disk: string): Promise<void> {
  await attempt("dd", ["if=/dev/zero", `of=${join(disk, "others")}`, "bs=4096", "count=4096"]);
  assert.equal((await statfs(disk)).bavail, 0);
}

async function freeBytes(disk: string): Promise<number> {
  const { bavail, bsize } = await statfs(disk);
  return bavail * bsize;
}

async function dray(dataDir: string, words: readonly string[]): Promise<string> {
  const context = createMemoryContext({ now: Date.now });
  const code = await run([...words, "--data-dir", dataDir], context);
  assert.equal(code, 0, context.stderr.text);
  return context.stdout.text;
}

async function pull(dataDir: string, registry: CriRegistry, name: string, size = 2_000_000): Promise<string> {
  registry.put(name, { layers: [bytesOf(size, 1)] });
  const image = `${registry.host}/${name}`;
  await dray(dataDir, ["pull", "--quiet", image]);
  return image;
}

test("dray rm and dray gc free a full disk", LIMIT, async (t) => {
  const disk = await mountDisk(t);
  if (disk === undefined) return t.skip("only root may make a small disk");
  await using registry = await CriRegistry.start();
  const dataDir = join(disk, "data");
  const image = await pull(dataDir, registry, "app:1");
  await fill(disk);
  assert.equal(await dray(dataDir, ["rm", image]), `${image}\n`);
  await fill(disk);
  assert.match(await dray(dataDir, ["gc", "--grace", "0"]), /^Freed /);
  assert.ok((await freeBytes(disk)) > 900_000, "the room is there");
  assert.equal(await dray(dataDir, ["images", "--quiet"]), "");
  // Room is kept for the next time.
  const other = await pull(dataDir, registry, "other:1", 300_000);
  await fill(disk);
  assert.equal(await dray(dataDir, ["rm", other]), `${other}\n`);
});

test("a node's collection frees a full disk", LIMIT, async (t) => {
  const disk = await mountDisk(t);
  if (disk === undefined) return t.skip("only root may make a small disk");
  await using registry = await CriRegistry.start();
  const dataDir = join(disk, "data");
  const image = await pull(dataDir, registry, "app:1");
  await using store = await openStore(dataDir);
  const images = new StoreImages({
    store,
    platform: localPlatform(),
    folder: dataDir,
    collect: ({ signal }) => store.collect({ signal, grace: 0 }),
  });
  await fill(disk);
  await images.remove(image);
  assert.deepEqual(await images.list(), []);
  assert.ok((await freeBytes(disk)) > 900_000, "the room is there");
});
