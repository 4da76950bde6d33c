/** Archives that GNU tar writes, in every format it knows, and what it unpacks itself beside what dray does. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, createReadStream, linkSync, lstatSync, mkdirSync, mkdtempSync, openSync } from "node:fs";
import { closeSync, ftruncateSync, symlinkSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

import { applyLayer } from "../../src/unpack/index.ts";
import { removeTree } from "../../src/unpack/remove-tree.ts";
import { describeFolder } from "../../src/unpack/testing.ts";
import { run } from "../processes.ts";

const folder = mkdtempSync(join(tmpdir(), "dray-tar-"));
after(() => removeTree(folder));

const version = spawnSync("tar", ["--version"], { encoding: "utf8" }).stdout ?? "";
const skip = /GNU tar/.test(version) ? false : "needs GNU tar";

const FORMATS: Readonly<Record<string, readonly string[]>> = {
  v7: ["--format=v7"],
  ustar: ["--format=ustar"],
  gnu: ["--format=gnu"],
  "gnu, sparse": ["--format=gnu", "--sparse"],
  oldgnu: ["--format=oldgnu", "--sparse"],
  pax: ["--format=pax"],
  "pax, sparse 0.0": ["--format=pax", "--sparse", "--sparse-version=0.0"],
  "pax, sparse 0.1": ["--format=pax", "--sparse", "--sparse-version=0.1"],
  "pax, sparse 1.0": ["--format=pax", "--sparse", "--sparse-version=1.0"],
  "pax, times with fractions": ["--format=posix", "--pax-option=exthdr.name=%d/PaxHeaders/%f"],
};

/** What only newer formats can hold: names over 100 bytes that don't divide, and over 255. */
const LONG = ["--exclude=long*"];

describe("an archive of GNU tar's", { skip, timeout: 300_000 }, () => {
  const files = join(folder, "files");
  before(() => {
    mkdirSync(join(files, "dir/below"), { recursive: true });
    writeFileSync(join(files, "dir/file"), "text");
    writeFileSync(join(files, "dir/below/program"), "#!");
    chmodSync(join(files, "dir/below/program"), 0o4711);
    linkSync(join(files, "dir/file"), join(files, "dir/other-name"));
    symlinkSync("../dir/file", join(files, "dir/link"));
    writeFileSync(join(files, `split${"-name".repeat(18)}`), "s");
    const long = `long-${"name-".repeat(30)}`;
    mkdirSync(join(files, long));
    writeFileSync(join(files, long, "n".repeat(200)), "l");
    symlinkSync("x/".repeat(90), join(files, "long-link"));
    writeSparse("holes", 300, 40_000);
    writeSparse("few-holes", 3, 40_000);
    writeSparse("only-a-hole", 0, 1_000_000);
  });

  /** Stretches of data with holes between, and one at the end. */
  function writeSparse(name: string, stretches: number, hole: number): void {
    const fd = openSync(join(files, name), "w");
    for (let i = 0; i < stretches; i++) writeSync(fd, Buffer.alloc(4096, i + 1), 0, 4096, i * hole);
    ftruncateSync(fd, stretches * hole + 1_000_000);
    closeSync(fd);
  }

  for (const [name, args] of Object.entries(FORMATS)) {
    it(`in format ${name} becomes what tar makes of it`, async () => {
      const archive = join(folder, "a.tar");
      const old = /^(?:v7|ustar)$/.test(name);
      await run("tar", ["-C", files, ...args, ...(old ? LONG : []), "-cf", archive, "."]);
      const [theirs, ours] = [join(folder, `tar ${name}`), join(folder, `dray ${name}`)];
      mkdirSync(theirs);
      mkdirSync(ours);
      await run("tar", ["-C", theirs, "-xpf", archive]);
      const { leftOut } = await applyLayer(
        {
          pump: async (consume) => {
            for await (const chunk of createReadStream(archive) as AsyncIterable<Buffer>)
              await consume(chunk);
          },
          close: async () => {},
        },
        ours,
      );
      assert.deepEqual(leftOut, []);
      assert.deepEqual(describeFolder(ours, { times: true }), describeFolder(theirs, { times: true }));
      const { blocks, size } = lstatSync(join(ours, "holes"));
      if (args.includes("--sparse")) assert.ok(blocks * 512 < size / 4, "holes stay holes");
    });
  }
});
