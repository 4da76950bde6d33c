import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { ContentFiles } from "./content-files.ts";

test("a write is found by its name and namespace, the latest of them, and keeps its identity as content", async (t) => {
  const root = mkdtempSync(join(tmpdir(), "dray-content-"));
  t.after(() => rmSync(root, { recursive: true }));
  const begin = (folder: string, ref: string): void => {
    mkdirSync(join(root, "ingest", folder), { recursive: true });
    writeFileSync(join(root, "ingest", folder, "ref"), ref);
    writeFileSync(join(root, "ingest", folder, "data"), folder);
  };
  const files = new ContentFiles(root, "k8s.io");
  assert.equal(await files.findIngest("layer-sha256:a"), undefined);
  begin("a", "k8s.io/9/layer-sha256:a");
  begin("b", "k8s.io/12/layer-sha256:a");
  begin("c", "moby/13/layer-sha256:a");
  begin("d", "k8s.io/14/layer-sha256:ab");
  const found = (await files.findIngest("layer-sha256:a")) ?? "";
  assert.equal(found, join(root, "ingest", "b", "data"));
  const identity = await files.identify(found);
  assert.equal(files.find("sha256:a"), undefined);
  mkdirSync(join(root, "blobs", "sha256"), { recursive: true });
  renameSync(found, join(root, "blobs", "sha256", "a"));
  assert.equal(await files.identify(files.find("sha256:a") ?? ""), identity);
  assert.notEqual(await files.identify(join(root, "ingest", "a", "data")), identity);
});
