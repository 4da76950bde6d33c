import assert from "node:assert/strict";
import { test } from "node:test";

import { parseImageConfig } from "../oci/index.ts";
import { describeImage } from "./describe-image.ts";

/** What a config says of its container, as a verbose status tells it again. */
function containerOf(config: object): unknown {
  const document = { os: "linux", architecture: "amd64", config, rootfs: { type: "layers", diff_ids: [] } };
  const described = JSON.parse(describeImage(parseImageConfig(JSON.stringify(document)))) as {
    readonly imageSpec: { readonly config: unknown };
  };
  return described.imageSpec.config;
}

test("a description has what OCI knows of a container, and leaves out what says nothing", () => {
  const known = {
    User: "u",
    ExposedPorts: { "80/tcp": {} },
    Env: ["A=1"],
    Entrypoint: ["/e"],
    Cmd: ["c"],
    Volumes: { "/v": {} },
    WorkingDir: "/w",
    Labels: { a: "1" },
    StopSignal: "SIGTERM",
    ArgsEscaped: true,
  };
  assert.deepEqual(containerOf({ ...known, Healthcheck: { Test: ["x"] }, Shell: ["sh"] }), known);
  assert.deepEqual(containerOf({ User: "", Env: [], Cmd: null, Labels: {}, ArgsEscaped: false }), {});
});

test("a description of an artifact is that of an image without anything", () => {
  const nothing = '{"architecture":"","os":"","config":{},"rootfs":{"type":"","diff_ids":null}}';
  assert.equal(describeImage(undefined), `{"chainID":"","imageSpec":${nothing}}`);
});
