import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import {
  artifactTypeOf,
  childrenOf,
  MAX_DESCRIPTORS,
  MAX_DOCUMENT_SIZE,
  parseManifest,
} from "./documents.ts";
import { EMPTY_DESCRIPTOR, EMPTY_JSON } from "./empty-descriptor.ts";
import { digestOf } from "./digest.ts";
import { OciError } from "./errors.ts";
import { MEDIA_TYPES } from "./media-types.ts";

const CONFIG = { mediaType: MEDIA_TYPES.ociConfig, digest: digestOf("config"), size: 6 };
const LAYER = { mediaType: MEDIA_TYPES.ociLayerGzip, digest: digestOf("layer"), size: 5 };
const MANIFEST = { schemaVersion: 2, config: CONFIG, layers: [LAYER] };
const INDEX = { schemaVersion: 2, manifests: [{ ...LAYER, mediaType: MEDIA_TYPES.ociManifest }] };

const MANIFEST_TYPES = [MEDIA_TYPES.ociManifest, MEDIA_TYPES.dockerManifest];
const INDEX_TYPES = [MEDIA_TYPES.ociIndex, MEDIA_TYPES.dockerList];

test("parseManifest() reads both families under either of their types", () => {
  for (const mediaType of MANIFEST_TYPES) {
    for (const own of MANIFEST_TYPES) {
      const document = parse({ ...MANIFEST, mediaType: own }, mediaType);
      assert.equal(document.kind, "manifest");
      assert.equal(document.mediaType, mediaType);
      assert.deepEqual(childrenOf(document), [CONFIG, LAYER]);
    }
  }
  for (const mediaType of INDEX_TYPES) {
    const document = parse(INDEX, `${mediaType}; charset=utf-8`);
    assert.equal(document.kind, "index");
    assert.equal(document.mediaType, mediaType);
  }
});

test("parseManifest() goes by the document when nothing was announced", () => {
  assert.equal(parse(INDEX).mediaType, MEDIA_TYPES.ociIndex);
  assert.equal(parse(MANIFEST).mediaType, MEDIA_TYPES.ociManifest);
  const docker = { ...MANIFEST, mediaType: MEDIA_TYPES.dockerManifest };
  assert.equal(parse(docker).mediaType, MEDIA_TYPES.dockerManifest);
});

test("parseManifest() never takes one family for the other", () => {
  const confused: readonly (readonly [document: object, mediaType: string | undefined])[] = [
    ...MANIFEST_TYPES.map((type) => [INDEX, type] as const),
    ...INDEX_TYPES.map((type) => [MANIFEST, type] as const),
    ...MANIFEST_TYPES.flatMap((type) =>
      INDEX_TYPES.map((own) => [{ ...MANIFEST, mediaType: own }, type] as const),
    ),
    ...INDEX_TYPES.flatMap((type) =>
      MANIFEST_TYPES.map((own) => [{ ...INDEX, mediaType: own }, type] as const),
    ),
    [{ ...MANIFEST, ...INDEX }, undefined],
    [{ ...MANIFEST, manifests: null }, MEDIA_TYPES.ociManifest],
    [{ ...INDEX, layers: [] }, MEDIA_TYPES.ociIndex],
    [{ ...MANIFEST, mediaType: MEDIA_TYPES.ociIndex }, undefined],
  ];
  for (const [document, mediaType] of confused) {
    assert.throws(
      () => parse(document, mediaType),
      { code: "MANIFEST_INVALID" },
      JSON.stringify([document, mediaType]),
    );
  }
});

test("parseManifest() refuses Docker schema 1 by name", () => {
  const unsupported = { code: "MANIFEST_UNSUPPORTED", message: /schema 1/ };
  assert.throws(() => parse({ schemaVersion: 1, fsLayers: [] }), unsupported);
  assert.throws(() => parse({ ...MANIFEST, fsLayers: [] }, MEDIA_TYPES.ociManifest), unsupported);
  assert.throws(() => parse(MANIFEST, MEDIA_TYPES.dockerSchema1Signed), unsupported);
  assert.throws(() => parse({ ...MANIFEST, mediaType: MEDIA_TYPES.dockerSchema1 }), unsupported);
});

test("parseManifest() keeps to its limits", () => {
  const invalid = { code: "MANIFEST_INVALID" };
  const large = { ...MANIFEST, annotations: { filler: "x".repeat(MAX_DOCUMENT_SIZE) } };
  assert.throws(() => parse(large), { ...invalid, message: /more than the 4194304/ });
  assert.throws(
    () => parse({ ...MANIFEST, layers: Array.from({ length: MAX_DESCRIPTORS + 1 }, () => null) }),
    invalid,
  );
  const deep = `{"schemaVersion":2,"x":${"[".repeat(1000)}${"]".repeat(1000)}}`;
  assert.throws(() => parseManifest(deep), { ...invalid, message: /nests deeper/ });
  assert.equal(parse({ ...MANIFEST, annotations: { brackets: "[".repeat(1000) + '\\"{' } }).kind, "manifest");
  assert.throws(() => parseManifest(Buffer.from(`\ufeff${JSON.stringify(MANIFEST)}`)), invalid);
  assert.throws(() => parseManifest(Uint8Array.of(0x7b, 0xff, 0x7d)), {
    ...invalid,
    message: /not JSON in UTF-8/,
  });
});

test("parseManifest() accepts what is unusual and harmless", () => {
  assert.deepEqual(childrenOf(parse({ schemaVersion: 2, manifests: [] })), []);
  assert.deepEqual(childrenOf(parse({ schemaVersion: 2, manifests: null }, MEDIA_TYPES.ociIndex)), []);
  assert.deepEqual(childrenOf(parse({ schemaVersion: 2, config: CONFIG, layers: null })), [CONFIG]);
  const strange = {
    ...MANIFEST,
    layers: [{ ...LAYER, mediaType: "application/vnd.example+x" }],
    unknown: [1],
  };
  assert.equal(parse(strange).kind, "manifest");
});

test("descriptors keep what is used, and drop addresses that are no web addresses", () => {
  const layer = {
    ...LAYER,
    urls: ["https://example.com/a", "file:///etc/passwd", "nonsense"],
    annotations: { __proto__: null, a: "b" },
    data: "bGF5ZXI=",
    platform: { os: "linux", architecture: "arm", variant: "", features: ["x"] },
    unknown: true,
  };
  const [, read] = childrenOf(parse({ ...MANIFEST, layers: [layer] }));
  assert.deepEqual(read?.urls, ["https://example.com/a"]);
  assert.deepEqual(read?.platform, { os: "linux", architecture: "arm" });
  assert.equal(read?.annotations?.["a"], "b");
  assert.equal(read !== undefined && "unknown" in read, false);
});

test("descriptors that can't be trusted are refused", () => {
  const wrong: readonly (readonly [object, string])[] = [
    [{ size: -1 }, "MANIFEST_INVALID"],
    [{ size: 1.5 }, "MANIFEST_INVALID"],
    [{ size: 2 ** 53 }, "MANIFEST_INVALID"],
    [{ size: "5" }, "MANIFEST_INVALID"],
    [{ digest: "sha256:../../etc" }, "DIGEST_INVALID"],
    [{ digest: `md5:${"0".repeat(32)}` }, "DIGEST_INVALID"],
    [{ mediaType: "nonsense" }, "MANIFEST_INVALID"],
    [{ mediaType: undefined }, "MANIFEST_INVALID"],
    [{ annotations: { a: 1 } }, "MANIFEST_INVALID"],
    [{ platform: [] }, "MANIFEST_INVALID"],
  ];
  for (const [change, code] of wrong) {
    assert.throws(
      () => parse({ ...MANIFEST, layers: [{ ...LAYER, ...change }] }),
      { code },
      JSON.stringify(change),
    );
  }
});

test("artifactTypeOf() says what a list of referrers would", () => {
  assert.equal(artifactTypeOf(parse(MANIFEST)), MEDIA_TYPES.ociConfig);
  assert.equal(artifactTypeOf(parse({ ...MANIFEST, artifactType: "a/b" })), "a/b");
  assert.equal(artifactTypeOf(parse(INDEX)), undefined);
});

test("EMPTY_DESCRIPTOR describes its content", () => {
  assert.equal(EMPTY_DESCRIPTOR.digest, digestOf(EMPTY_JSON));
  assert.equal(Buffer.from(EMPTY_DESCRIPTOR.data ?? "", "base64").toString(), EMPTY_JSON);
});

test("no JSON makes parseManifest() throw anything but its own error", () => {
  const member = fc.constantFrom(
    ..."schemaVersion mediaType config layers manifests subject annotations".split(" "),
  );
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom<unknown>(2, CONFIG, [LAYER], ...MANIFEST_TYPES));
  fc.assert(
    fc.property(fc.dictionary(member, value), (document) => {
      try {
        parse({ schemaVersion: 2, ...document });
      } catch (error) {
        assert.ok(error instanceof OciError, String(error));
      }
    }),
    { numRuns: 1000 },
  );
});

function parse(document: object, mediaType?: string): ReturnType<typeof parseManifest> {
  return parseManifest(Buffer.from(JSON.stringify(document)), { mediaType });
}
