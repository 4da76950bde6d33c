import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";

import { type Descriptor, MEDIA_TYPES, MemoryContent } from "../oci/index.ts";
import { openLayout } from "./index.ts";

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "dray-layout-test-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

function content(count: number): { readonly source: MemoryContent; readonly images: readonly Descriptor[] } {
  const source = new MemoryContent();
  const images = Array.from({ length: count }, (_, i) =>
    source.addDocument(
      { schemaVersion: 2, manifests: [], annotations: { i: String(i) } },
      MEDIA_TYPES.ociIndex,
    ),
  );
  return { source, images };
}

test("openLayout() makes a layout of a missing or empty folder only when asked to", async (t) => {
  const dir = await folder(t);
  await assert.rejects(openLayout(join(dir, "a", "b")), { code: "ARCHIVE_UNKNOWN" });
  await assert.rejects(openLayout(dir), { code: "ARCHIVE_INVALID" });
  const layout = await openLayout(join(dir, "a", "b"), { create: true });
  assert.deepEqual(await layout.entries(), []);
  assert.equal(await readFile(join(dir, "a", "b", "oci-layout"), "utf8"), '{"imageLayoutVersion":"1.0.0"}');
  assert.deepEqual(await (await openLayout(join(dir, "a", "b"))).entries(), []);
  await mkdir(join(dir, "other"));
  await writeFile(join(dir, "other", "precious"), "");
  await assert.rejects(openLayout(join(dir, "other"), { create: true }), { code: "UNWRITABLE" });
  assert.deepEqual(await readdir(join(dir, "other")), ["precious"]);
});

test("OciLayout resolves tags, names in any spelling, digests, and the only image", async (t) => {
  const layout = await openLayout(join(await folder(t), "layout"), { create: true });
  const { source, images } = content(3);
  const [one, two, three] = images as [Descriptor, Descriptor, Descriptor];
  await assert.rejects(layout.resolve(), { code: "REFERENCE_UNKNOWN", message: /it holds no images/ });
  await layout.tag(one, "v1", { source });
  assert.deepEqual(await layout.resolve(), one);
  await layout.tag(two, "docker.io/library/app:2", { source });
  await layout.write(three, source);
  const cases: readonly (readonly [string, Descriptor])[] = [
    ["v1", one],
    ["docker.io/library/app:2", two],
    ["app:2", two],
    ["2", two],
    [one.digest, one],
    [three.digest, three],
  ];
  for (const [reference, expected] of cases) assert.deepEqual(await layout.resolve(reference), expected);
  await assert.rejects(layout.resolve(), {
    code: "REFERENCE_AMBIGUOUS",
    message: /"v1", "docker.io\/library\/app:2"/,
  });
  for (const reference of ["v2", "app", "other:2", `sha256:${"0".repeat(64)}`]) {
    await assert.rejects(layout.resolve(reference), { code: "REFERENCE_UNKNOWN" }, reference);
  }
});

test("OciLayout moves a tag, drops one, and keeps what it doesn't know", async (t) => {
  const dir = join(await folder(t), "layout");
  const layout = await openLayout(dir, { create: true });
  const { source, images } = content(2);
  const [one, two] = images as [Descriptor, Descriptor];
  const foreign = { mediaType: "x/y", digest: `blake3:${"0".repeat(64)}`, size: 1, future: [1] };
  const index = { schemaVersion: 2, manifests: [foreign], annotations: { mine: "1" }, extra: { deep: true } };
  await writeFile(join(dir, "index.json"), JSON.stringify(index));
  await layout.tag(one, "v1", { source });
  await layout.tag(two, "v1", { source });
  await layout.tag(two, "", { source });
  assert.deepEqual(
    (await layout.entries()).map(({ name, descriptor }) => [name, descriptor.digest]),
    [["v1", two.digest]],
  );
  assert.equal(await layout.untag("v1"), true);
  assert.equal(await layout.untag("v1"), false);
  assert.deepEqual(JSON.parse(await readFile(join(dir, "index.json"), "utf8")), index);
  await layout.tag(one, "");
  assert.deepEqual(await layout.entries(), [{ descriptor: one }]);
  await assert.rejects(layout.tag(one, "a b"), { code: "REFERENCE_INVALID" });
});

test("OciLayout shows nothing of content that is wrong, cut off or aborted", async (t) => {
  const dir = join(await folder(t), "layout");
  const layout = await openLayout(dir, { create: true });
  const { source, images } = content(1);
  const [one] = images as [Descriptor];
  const bytes = source.find(one.digest) as Uint8Array;
  const lying = (content: Uint8Array): MemoryContent => {
    const memory = new MemoryContent();
    memory.find = () => content;
    return memory;
  };
  await assert.rejects(layout.write(one, lying(bytes.slice(0, -1))), { code: "SIZE_INVALID" });
  await assert.rejects(layout.write(one, lying(Buffer.concat([bytes, bytes]))), { code: "SIZE_INVALID" });
  await assert.rejects(layout.write(one, lying(Buffer.alloc(bytes.length))), { code: "DIGEST_INVALID" });
  await assert.rejects(layout.write(one, source, { signal: AbortSignal.abort() }), { name: "AbortError" });
  assert.equal(await layout.has(one), false);
  assert.deepEqual(await readdir(join(dir, "blobs", "sha256")), []);
  assert.deepEqual(
    (await readdir(dir)).filter((name) => name.startsWith(".dray-ingest")),
    [],
  );
  assert.equal(await layout.write(one, source), "written");
  assert.equal(await layout.write(one, source), "exists");
});

test("OciLayout loses no tag when several processes write at once", async (t) => {
  const dir = join(await folder(t), "layout");
  const { source, images } = content(1);
  const [one] = images as [Descriptor];
  const script = `
    const { openLayout } = await import(${JSON.stringify(new URL("index.ts", import.meta.url).href)});
    const layout = await openLayout(process.argv[1], { create: true });
    for (let i = 0; i < 25; i++) await layout.tag(JSON.parse(process.argv[2]), process.argv[3] + i);
  `;
  const run = (prefix: string): Promise<number | null> =>
    new Promise((resolve, reject) => {
      const args = ["--input-type=module", "-e", script, dir, JSON.stringify(one), prefix];
      spawn(process.execPath, args, { stdio: "inherit" }).on("exit", resolve).on("error", reject);
    });
  assert.deepEqual(await Promise.all([run("a"), run("b"), run("c")]), [0, 0, 0]);
  const layout = await openLayout(dir);
  await Promise.all(["x", "y", "z"].map((name) => layout.tag(one, name, { source })));
  assert.equal((await layout.entries()).length, 78);
});
