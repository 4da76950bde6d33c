import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";

import { create } from "@bufbuild/protobuf";

import { type Mount, MountSchema } from "../generated/containerd/types_pb.ts";
import { layerFolders } from "./overlay-mounts.ts";

const folder = mkdtempSync(join(tmpdir(), "dray-mounts-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const upper = join(folder, "upper");
mkdirSync(upper);
const full = join(folder, "full");
mkdirSync(full);
writeFileSync(join(full, "file"), "");

function overlay(...options: readonly string[]): Mount {
  return create(MountSchema, { type: "overlay", source: "overlay", options: [...options] });
}

function bind(source: string, ...options: readonly string[]): Mount {
  return create(MountSchema, { type: "bind", source, options: [...options] });
}

describe("layerFolders()", () => {
  it("finds the folders that overlayfs stacks", () => {
    const mount = overlay("index=off", `workdir=${folder}/work`, `upperdir=${upper}`, "lowerdir=/b:/a");
    assert.deepEqual(layerFolders([mount]), { upper, lower: ["/b", "/a"] });
  });

  it("finds the one folder of a first layer", () => {
    assert.deepEqual(layerFolders([bind(upper, "rw", "rbind")]), { upper, lower: [] });
  });

  const refused: readonly (readonly [string, readonly Mount[]])[] = [
    ["nothing to mount", []],
    ["several mounts", [bind(upper, "rw"), bind(upper, "rw")]],
    ["a view that can't be written to", [bind(upper, "ro")]],
    ["an overlay without an upper folder", [overlay("lowerdir=/b:/a")]],
    ["ids that the mount shifts", [overlay(`upperdir=${upper}`, "lowerdir=/a", "uidmap=0:1000:10")]],
    ["names with escaped colons", [overlay(`upperdir=${upper}`, "lowerdir=/a\\:b")]],
    ["a folder that isn't empty", [bind(full, "rw")]],
    ["a folder that isn't here", [bind(join(folder, "none"), "rw")]],
    ["a file system of its own", [create(MountSchema, { type: "erofs", source: "/dev/loop0" })]],
  ];
  for (const [what, mounts] of refused) {
    it(`leaves ${what} to containerd`, () => assert.equal(layerFolders(mounts), undefined));
  }
});
