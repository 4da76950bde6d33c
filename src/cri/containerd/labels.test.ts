import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { type Descriptor, type Digest, type Manifest, MEDIA_TYPES, parseManifest } from "../../oci/index.ts";
import { parseReference } from "../../reference/index.ts";
import { childLabels, sourceKey, withRepository } from "./labels.ts";

const digest = (letter: string): Digest => `sha256:${letter.repeat(64)}` as Digest;
const descriptor = (mediaType: string, letter: string): Descriptor => ({
  mediaType,
  digest: digest(letter),
  size: 1,
});

function manifest(layers: readonly Descriptor[]): Manifest {
  const config = descriptor(MEDIA_TYPES.dockerConfig, "c");
  const text = JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config, layers });
  const parsed = parseManifest(text);
  assert.equal(parsed.kind, "manifest");
  return parsed as Manifest;
}

describe("childLabels()", () => {
  it("numbers layers, also those that come twice, and everything else by its kind", () => {
    const layers = [
      descriptor(MEDIA_TYPES.ociLayerGzip, "1"),
      descriptor(MEDIA_TYPES.dockerLayerGzip, "1"),
      descriptor("application/vnd.example.model", "2"),
      descriptor(MEDIA_TYPES.dockerForeignLayerGzip, "3"),
    ];
    assert.deepEqual(childLabels(manifest(layers)), {
      "containerd.io/gc.ref.content.config": digest("c"),
      "containerd.io/gc.ref.content.l.0": digest("1"),
      "containerd.io/gc.ref.content.l.1": digest("1"),
      "containerd.io/gc.ref.content.0": digest("2"),
      "containerd.io/gc.ref.content.l.2": digest("3"),
    });
  });
});

describe("labels of where content is from", () => {
  it("have the registry without its port", () => {
    const key = (name: string): string => sourceKey(parseReference(name));
    assert.equal(key("localhost:5000/a/b"), "containerd.io/distribution.source.localhost");
    assert.equal(key("busybox"), "containerd.io/distribution.source.docker.io");
  });

  it("list repositories once, in order", () => {
    const b = parseReference("r.example/team/b");
    assert.equal(withRepository(undefined, b), "team/b");
    assert.equal(withRepository("team/c,team/a", b), "team/a,team/b,team/c");
    assert.equal(withRepository("team/b", b), "team/b");
  });
});
