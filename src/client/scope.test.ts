import assert from "node:assert/strict";
import { test } from "node:test";
import {
  cleanActions,
  cleanScopes,
  locatorScope,
  repositoryScope,
  scopesToRequest,
  tokenScopes,
} from "./scope.ts";

test("repositoryScope() sorts actions and is empty without any", () => {
  assert.equal(repositoryScope("a/b", ["push", "pull", "push"]), "repository:a/b:pull,push");
  assert.equal(repositoryScope("a/b", [""]), "");
  assert.equal(repositoryScope("", ["pull"]), "");
});

test("locatorScope() leaves the host out, port and all", () => {
  assert.equal(locatorScope("h.test:5000/a/b"), "repository:a/b:pull");
  assert.equal(locatorScope("h.test/a", { push: true }), "repository:a:pull,push");
});

test("cleanActions() lets * stand for all", () => {
  assert.deepEqual(cleanActions(["push", "*", ""]), ["*"]);
  assert.deepEqual(cleanActions([]), []);
});

test("cleanScopes() merges what is about one resource and keeps what it doesn't understand", () => {
  const scopes = [
    "repository:b:push",
    "odd",
    "repository:a:pull",
    "repository:b:pull",
    "repository:c:",
    "x:y",
  ];
  assert.deepEqual(cleanScopes(scopes), ["odd", "repository:a:pull", "repository:b:pull,push", "x:y"]);
  assert.deepEqual(cleanScopes(["repository:h:5000/x:push,pull"]), ["repository:h:5000/x:pull,push"]);
  assert.deepEqual(cleanScopes(["repository:c:"]), []);
});

test("tokenScopes() is the sorted union", () => {
  assert.deepEqual(tokenScopes(["b", "a"], ["c", "a", ""]), ["a", "b", "c"]);
});

test("scopesToRequest() puts what was newly demanded first", () => {
  assert.deepEqual(scopesToRequest(["repository:a:pull"], ["repository:z:pull"]), [
    "repository:z:pull",
    "repository:a:pull",
  ]);
  assert.deepEqual(scopesToRequest(["repository:a:pull"], ["repository:a:push"]), ["repository:a:pull,push"]);
  assert.deepEqual(scopesToRequest(["repository:a:pull"], []), ["repository:a:pull"]);
});
