import assert from "node:assert/strict";
import { test } from "node:test";

import { formatReference } from "../reference/index.ts";
import { parsePlace } from "./place.ts";

function show(text: string): string {
  const place = parsePlace(text);
  if (place.kind === "docker" || place.kind === "store")
    return `${place.kind} ${formatReference(place.reference)}`;
  return `${place.kind} ${place.path} ${place.name ?? "-"}`;
}

test("parsePlace() reads every kind of place", () => {
  const digest = `sha256:${"a".repeat(64)}`;
  for (const [text, expected] of [
    ["busybox", "docker docker.io/library/busybox:latest"],
    ["docker://ghcr.io/a/b:1", "docker ghcr.io/a/b:1"],
    ["localhost:5000/a", "docker localhost:5000/a:latest"],
    [`a@${digest}`, `docker docker.io/library/a@${digest}`],
    ["store:busybox:1", "store docker.io/library/busybox:1"],
    ["oci:/tmp/layout", "oci /tmp/layout -"],
    ["oci:layout:1.0", "oci layout 1.0"],
    ["oci-archive:a.tar:ghcr.io/a/b:1", "oci-archive a.tar ghcr.io/a/b:1"],
    ["docker-archive:a.tar:b:1", "docker-archive a.tar b:1"],
    ["docker-archive:-", "docker-archive - -"],
    ["docker://oci:1", "docker docker.io/library/oci:1"],
    ["storefront:1", "docker docker.io/library/storefront:1"],
  ] as const) {
    assert.equal(show(text), expected, text);
  }
});

test("parsePlace() says how to write what it can't read", () => {
  for (const [text, message] of [
    ["oci:", /write oci:DIR or oci:DIR:NAME/],
    ["oci:dir:", /nothing stands behind the last colon/],
    ["containers-storage://x", /not containers-storage:\/\//],
    ["Bad Name", /./],
  ] as const) {
    assert.throws(() => parsePlace(text), { message }, text);
  }
});
