import assert from "node:assert/strict";
import { test } from "node:test";

import { digestOf } from "../oci/index.ts";
import { ManifestCache, type CachedManifest } from "./manifest-cache.ts";

function manifestOf(size: number): CachedManifest {
  const answer = { status: 200, headers: [] };
  return {
    repository: "r",
    mediaType: "text/plain",
    digest: digestOf(String(size)),
    get: answer,
    head: answer,
    size,
  };
}

test("an entry answers only under the generation it was read in", () => {
  const cache = new ManifestCache(1 << 20);
  cache.set("/a", manifestOf(100), 7);
  assert.equal(cache.find("/a", 7)?.size, 100);
  assert.equal(cache.find("/a", 8), undefined);
  assert.equal(cache.findStale("/a")?.size, 100);
  cache.set("/a", manifestOf(200), 8);
  assert.equal(cache.find("/a", 8)?.size, 200);
});

test("memory stays within the bound, and what is in use stays longer", () => {
  const cache = new ManifestCache(100_000);
  cache.set("/hot", manifestOf(5_000), 1);
  for (let index = 0; index < 200; index++) {
    cache.set(`/cold/${index}`, manifestOf(5_000), 1);
    assert.ok(cache.bytes <= 100_000);
    assert.notEqual(cache.find("/hot", 1), undefined, `after ${index}`);
  }
  assert.equal(cache.find("/cold/0", 1), undefined);
  assert.notEqual(cache.find("/cold/199", 1), undefined);
});

test("a document larger than an eighth of the bound is not kept, and replaced ones are not counted twice", () => {
  const cache = new ManifestCache(100_000);
  cache.set("/big", manifestOf(50_000), 1);
  assert.equal(cache.findStale("/big"), undefined);
  assert.equal(cache.bytes, 0);
  cache.set("/a", manifestOf(500), 1);
  const once = cache.bytes;
  cache.set("/a", manifestOf(500), 2);
  assert.equal(cache.bytes, once);
});

test("a bound of 0 keeps nothing", () => {
  const cache = new ManifestCache(0);
  cache.set("/a", manifestOf(1), 1);
  assert.equal(cache.findStale("/a"), undefined);
});
