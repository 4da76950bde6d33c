import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { readSocketOwner } from "./socket-owner.ts";

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "dray-owner-"));
  await writeFile(join(folder, "passwd"), "root:x:0:0:root:/root:/bin/sh\nkubelet:x:970:971::/:/bin/false\n");
  await writeFile(join(folder, "group"), "root:x:0:\nimages:x:972:ada\n");
});
after(() => rm(folder, { recursive: true }));

const CASES: readonly [text: string, uid: number, gid: number, forGroup: boolean][] = [
  ["root", 0, 0, false],
  ["kubelet", 970, 971, false],
  ["970", 970, 971, false],
  ["kubelet:images", 970, 972, true],
  ["0:972", 0, 972, true],
  ["5000", 5000, 5000, false],
  ["5000:5001", 5000, 5001, true],
];

for (const [text, uid, gid, forGroup] of CASES) {
  test(`readSocketOwner() reads ${text}`, async () => {
    const files = { passwd: join(folder, "passwd"), group: join(folder, "group") };
    assert.deepEqual(await readSocketOwner(text, files), { uid, gid, forGroup });
  });
}

for (const text of ["", ":images", "kubelet:", "a:b:c", "nobody-here", "kubelet:nothing", "-1"]) {
  test(`readSocketOwner() refuses ${JSON.stringify(text)}`, async () => {
    const files = { passwd: join(folder, "passwd"), group: join(folder, "group") };
    await assert.rejects(readSocketOwner(text, files), /--socket-owner does not take/);
  });
}
