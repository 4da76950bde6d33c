import assert from "node:assert/strict";
import { test } from "node:test";

import { defaultPullPolicy, explainDefaultPolicy } from "./default-pull-policy.ts";

test("defaultPullPolicy() is Always for latest, written or implied, and IfNotPresent for everything else", () => {
  const digest = `sha256:${"0".repeat(64)}`;
  for (const [image, policy] of [
    ["busybox", "Always"],
    ["busybox:latest", "Always"],
    [`busybox:latest@${digest}`, "Always"],
    ["localhost:5000", "IfNotPresent"],
    ["localhost:5000/x", "Always"],
    ["busybox:1.36", "IfNotPresent"],
    [`busybox@${digest}`, "IfNotPresent"],
    ["Not A Name", "IfNotPresent"],
    ["", "IfNotPresent"],
    ["0".repeat(64), "IfNotPresent"],
  ] as const) {
    assert.equal(defaultPullPolicy(image), policy, image);
  }
});

test("explainDefaultPolicy() says which part of the name decided", () => {
  const digest = `sha256:${"0".repeat(64)}`;
  for (const [image, because] of [
    ["busybox", "no-tag"],
    ["busybox:latest", "tag-latest"],
    ["busybox:1.36", "tag"],
    [`busybox:1.36@${digest}`, "tag"],
    [`busybox@${digest}`, "digest"],
    ["Not A Name", "name-unreadable"],
  ] as const) {
    assert.equal(explainDefaultPolicy(image).because, because, image);
  }
});
