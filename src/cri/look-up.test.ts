import assert from "node:assert/strict";
import { test } from "node:test";

import { completeName, type Findable, lookUp } from "./look-up.ts";

const ONE = `sha256:ab${"1".repeat(62)}`;
const TWO = `sha256:ab${"2".repeat(62)}`;
const DIGEST = `sha256:${"d".repeat(64)}`;

const IMAGES: readonly Findable[] = [
  {
    id: ONE,
    repoTags: ["docker.io/library/busybox:latest", "r.example:5000/team/app:v1"],
    repoDigests: [`docker.io/library/busybox@${DIGEST}`],
  },
  { id: TWO, repoTags: [], repoDigests: [`r.example:5000/team/app@${DIGEST}`] },
];

const CASES: readonly [text: string, id: string | undefined][] = [
  ["", undefined],
  [" ", undefined],
  [ONE, ONE],
  [DIGEST, undefined],
  ["busybox", ONE],
  ["busybox:latest", ONE],
  ["busybox:other", undefined],
  ["library/busybox", ONE],
  ["docker.io/busybox", ONE],
  ["index.docker.io/library/busybox", ONE],
  [`busybox@${DIGEST}`, ONE],
  [`busybox:gone@${DIGEST}`, ONE],
  [`app@${DIGEST}`, undefined],
  ["r.example:5000/team/app:v1", ONE],
  [`r.example:5000/team/app:v1@${DIGEST}`, TWO],
  ["r.example:5000/team/app", undefined],
  ["R.example:5000/team/app:v1", undefined],
  ["r.example:5000/team/APP:v1", undefined],
  [ONE.slice(7), ONE],
  ["ab1", ONE],
  ["ab2", TWO],
  ["sha256:ab2", TWO],
  ["sha256:ac", undefined],
  ["sha256:", undefined],
  ["sha256", undefined],
  ["sha512:ab1", undefined],
  ["AB1", undefined],
  [`${ONE.slice(7)}1`, undefined],
  ["0".repeat(64), undefined],
];

for (const [text, id] of CASES) {
  test(`lookUp() finds ${id === undefined ? "nothing" : id.slice(0, 10)} by ${JSON.stringify(text)}`, () => {
    assert.equal(lookUp(IMAGES, text)?.id, id);
  });
}

test("lookUp() refuses what begins several ids, and finds a name of that spelling first", () => {
  for (const text of ["a", "ab", "sha256:a", "sha256:ab"]) {
    assert.throws(() => lookUp(IMAGES, text), { code: "IMAGE_AMBIGUOUS" });
  }
  const named = { id: DIGEST, repoTags: ["docker.io/library/ab:latest"], repoDigests: [] };
  assert.equal(lookUp([...IMAGES, named], "ab"), named);
});

test("completeName() drops a tag that a digest outweighs, and knows what is no name", () => {
  assert.equal(completeName(`a/b:1@${DIGEST}`), `docker.io/a/b@${DIGEST}`);
  assert.equal(completeName("UPPER/app:1"), "UPPER/app:1");
  assert.equal(completeName("a b"), undefined);
  assert.equal(completeName("1".repeat(64)), undefined);
});
