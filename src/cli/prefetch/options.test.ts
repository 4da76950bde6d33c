import assert from "node:assert/strict";
import { test } from "node:test";

import { createMemoryContext } from "../testing.ts";
import { findMaker } from "../find-maker.ts";
import { namedEndpoint } from "./endpoint.ts";
import { readSize } from "../settings.ts";
import { readKeepFree, readRatio } from "./options.ts";

test("sizes are bytes with decimal or binary units", () => {
  for (const [text, bytes] of [
    ["0", 0],
    ["500", 500],
    ["500k", 500_000],
    ["1.5G", 1_500_000_000],
    ["20Gi", 20 * 1024 ** 3],
    ["20GB", 20_000_000_000],
  ] as const) {
    assert.equal(readSize(text, "--max-bytes"), bytes, text);
  }
  for (const text of ["", "-1", "1K", "5 G", "G", "1e9", "999999999999999T"]) {
    assert.throws(() => readSize(text, "--max-bytes"), { code: "USAGE" }, text);
  }
});

test("what must stay free is a part of the disk or a size", () => {
  assert.equal(readKeepFree()?.(1000), 150);
  assert.equal(readKeepFree("20%")?.(1000), 200);
  assert.equal(readKeepFree("5k")?.(1000), 5000);
  assert.equal(readKeepFree("0"), undefined);
  assert.equal(readKeepFree("0%"), undefined);
  assert.throws(() => readKeepFree("100%"), { code: "USAGE" });
  assert.equal(readRatio("2.5"), 2.5);
  assert.throws(() => readRatio("-1"), { code: "USAGE" });
});

test("a socket is named by option, or as for crictl by the environment", () => {
  const env = { IMAGE_SERVICE_ENDPOINT: "", CONTAINER_RUNTIME_ENDPOINT: "unix:///run/b.sock" };
  const context = createMemoryContext({ cwd: "/work", env });
  assert.equal(namedEndpoint({}, context), "/run/b.sock");
  assert.equal(namedEndpoint({ socket: "a.sock" }, context), "/work/a.sock");
  assert.equal(namedEndpoint({ "image-service-endpoint": "unix:///a.sock" }, context), "/a.sock");
  assert.equal(namedEndpoint({}, createMemoryContext()), undefined);
  for (const socket of ["tcp://127.0.0.1:1", "npipe:////./pipe/x", "unix://"]) {
    assert.throws(() => namedEndpoint({ socket }, context), { code: "USAGE" }, socket);
  }
  const both = { socket: "/a", "image-service-endpoint": "/a" };
  assert.throws(() => namedEndpoint(both, context), { code: "USAGE" });
});

test("workloads go by kubectl's words for what makes Pods", () => {
  for (const [word, kind] of [
    ["deploy", "Deployment"],
    ["daemonsets", "DaemonSet"],
    ["po", "Pod"],
    ["CronJob", "CronJob"],
  ] as const) {
    assert.equal(findMaker(word)?.kind, kind);
  }
  for (const word of ["secret", "nginx", "library"]) assert.equal(findMaker(word), undefined);
});
