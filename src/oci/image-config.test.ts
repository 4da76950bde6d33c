import assert from "node:assert/strict";
import { test } from "node:test";

import { digestOf } from "./digest.ts";
import { parseImageConfig } from "./image-config.ts";

const ROOTFS = { type: "layers", diff_ids: [digestOf("layer")] };

test("parseImageConfig() reads what a runtime needs", () => {
  const config = parseImageConfig(
    JSON.stringify({
      created: "2026-01-02T03:04:05Z",
      os: "linux",
      architecture: "arm64",
      variant: "v8",
      config: {
        User: "1000:1000",
        ExposedPorts: { "80/tcp": {} },
        Env: ["A=1"],
        Entrypoint: null,
        Cmd: ["run"],
        Volumes: { "/data": {} },
        WorkingDir: "/app",
        Labels: { a: "b" },
        StopSignal: "SIGTERM",
        OnBuild: ["kept by the bytes"],
      },
      rootfs: ROOTFS,
      history: [{ created_by: "COPY", comment: "c" }, { empty_layer: true }],
    }),
  );
  assert.deepEqual(config, {
    created: "2026-01-02T03:04:05Z",
    platform: { os: "linux", architecture: "arm64", variant: "v8" },
    config: {
      user: "1000:1000",
      exposedPorts: ["80/tcp"],
      env: ["A=1"],
      cmd: ["run"],
      volumes: ["/data"],
      workingDir: "/app",
      labels: { a: "b" },
      stopSignal: "SIGTERM",
    },
    diffIds: ROOTFS.diff_ids,
    history: [{ createdBy: "COPY", comment: "c", emptyLayer: false }, { emptyLayer: true }],
  });
});

test("parseImageConfig() refuses documents that are no image's", () => {
  const invalid = { code: "MANIFEST_INVALID" };
  assert.throws(() => parseImageConfig("{}"), invalid);
  assert.throws(() => parseImageConfig("[]"), invalid);
  assert.throws(() => parseImageConfig(JSON.stringify({ rootfs: { type: "other" } })), invalid);
  assert.throws(() => parseImageConfig(JSON.stringify({ rootfs: ROOTFS, config: { Env: [1] } })), invalid);
  const wrong = { rootfs: { type: "layers", diff_ids: ["sha256:1"] } };
  assert.throws(() => parseImageConfig(JSON.stringify(wrong)), { code: "DIGEST_INVALID" });
});
