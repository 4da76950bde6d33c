import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import { digestOf } from "./digest.ts";
import { isRepositoryName, isTag } from "./repository.ts";
import { matchRoute, routes, type RouteMatch } from "./routes.ts";

const DIGEST = digestOf("");

test("matchRoute() reads what routes write, whatever the repository is called", () => {
  const word = fc.constantFrom(
    "a",
    "blobs",
    "manifests",
    "tags",
    "list",
    "uploads",
    "referrers",
    "v2",
    "x__y",
  );
  const names = fc.array(word, { minLength: 1, maxLength: 5 }).map((words) => words.join("/"));
  fc.assert(
    fc.property(names, (name) => {
      const cases: readonly (readonly [string, RouteMatch])[] = [
        [routes.manifest(name, "latest"), { route: "manifest", name, reference: "latest" }],
        [routes.manifest(name, DIGEST), { route: "manifest", name, reference: DIGEST }],
        [routes.blob(name, DIGEST), { route: "blob", name, digest: DIGEST }],
        [routes.uploads(name), { route: "uploads", name }],
        [routes.upload(name, "id-1"), { route: "upload", name, id: "id-1" }],
        [routes.tags(name), { route: "tags", name }],
        [routes.referrers(name, DIGEST), { route: "referrers", name, digest: DIGEST }],
      ];
      for (const [path, match] of cases) assert.deepEqual(matchRoute(path), match, path);
    }),
  );
});

test("matchRoute() knows the routes without a name, and uploads without their slash", () => {
  assert.deepEqual(matchRoute("/v2/"), { route: "base" });
  assert.deepEqual(matchRoute("/v2"), { route: "base" });
  assert.deepEqual(matchRoute("/v2/_catalog"), { route: "catalog" });
  assert.deepEqual(matchRoute("/v2/a/blobs/uploads"), { route: "uploads", name: "a" });
});

test("matchRoute() finds nothing where there is nothing", () => {
  const paths = [
    ..."/ /v1/ /v2/a /v2/manifests/x /v2/tags/list /v2//tags/list /v2/a/manifests/ /v2/a/blobs/".split(" "),
    ..."/v2/a/tags/other /v2/blobs/uploads/ /v2/a/uploads/x v2/a/tags/list /v2x/a/tags/list".split(" "),
  ];
  for (const path of paths) assert.equal(matchRoute(path), undefined, path);
});

test("repository names and tags keep to their grammar and length", () => {
  for (const name of ["a", "a/b/c", "a.b_c__d---e", "0"]) assert.ok(isRepositoryName(name), name);
  for (const name of [
    "",
    "A",
    "a//b",
    "/a",
    "a/",
    "a..b",
    "a___b",
    "-a",
    "a-",
    "a:b",
    "a".repeat(256),
    "é",
    "../a",
  ]) {
    assert.equal(isRepositoryName(name), false, name);
  }
  assert.ok(isRepositoryName("a".repeat(255)));
  for (const tag of ["latest", "_x", "A.b-c", "a".repeat(128)]) assert.ok(isTag(tag), tag);
  for (const tag of ["", ".a", "-a", "a/b", "a:b", "a".repeat(129), "a\n"])
    assert.equal(isTag(tag), false, tag);
});
