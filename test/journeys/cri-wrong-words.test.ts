/** What an operator may get wrong at the command line is told before anything is made, asked or served. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { run } from "../../src/cli/run.ts";
import { createMemoryContext } from "../../src/cli/testing.ts";

const LIMIT = { timeout: 60_000 };

describe("words that can't be meant", LIMIT, () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "dray-words-"));
  });
  after(() => rm(folder, { recursive: true }));

  async function dray(
    words: readonly string[],
  ): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
    const context = createMemoryContext({ cwd: folder, home: folder, env: {}, now: Date.now });
    const code = await run([...words, "--data-dir", "data"], context);
    return { code, out: context.stdout.text, err: context.stderr.text };
  }

  for (const [words, sentence] of [
    [["cri", "--socket", ""], /^dray: Option --socket does not take "": it is a path/],
    [["cri", "--socket", "unix://"], /^dray: Option --socket does not take "unix:\/\/": it is a path/],
    [["cri", "--socket", "tcp://127.0.0.1:1"], /^dray: Option --socket does not take "tcp:/],
    [["cri", "--containerd", ""], /^dray: Option --containerd does not take "": it is a path/],
    [["cri", "--snapshotter", "native"], /^dray: Option --snapshotter needs --containerd beside it$/m],
    [
      ["cri", "--pinned", "NOT an image"],
      /^dray: Option --pinned does not take "NOT an image": it is no name/,
    ],
    [["pulls", "--socket", ""], /^dray: Option --socket does not take ""/],
    [["prefetch", "--pin", "--unpin", "busybox"], /^dray: Options --pin and --unpin contradict each other$/m],
    [["prefetch", "--pin", "--list-pins"], /^dray: Options --pin and --list-pins contradict each other$/m],
    [["prefetch", "--list-pins", "--containerd", ""], /^dray: Option --containerd does not take ""/],
    [["unpack", "oci:none", "to", "--max-size", "0"], /^dray: Option --max-size does not take "0"/],
    [
      ["unpack", "oci:none", "to", "--max-size", "ten"],
      /^dray: Option --max-size does not take "ten": write bytes, or 500M/,
    ],
  ] as const) {
    test(`dray ${words.map((word) => (word === "" ? '""' : word)).join(" ")}`, LIMIT, async () => {
      const { code, out, err } = await dray(words);
      assert.deepEqual([code, out], [2, ""], err);
      assert.match(err, sentence);
      assert.equal(existsSync(join(folder, "data")), false);
    });
  }

  test("a size may have a unit, and a missing image is what is told then", LIMIT, async () => {
    const { code, err } = await dray(["unpack", "oci:none", "to", "--max-size", "1.5Gi"]);
    assert.equal(code, 8, err);
  });

  test("containerd isn't where it was said to be", LIMIT, async () => {
    const { code, err } = await dray(["cri", "--containerd", "nobody.sock", "--socket", "cri.sock"]);
    assert.equal(code, 8);
    assert.match(
      err,
      /^dray: Cannot reach ".*\/nobody\.sock": containerd does not answer: there is no such socket$/m,
    );
  });

  test("pulls are asked of a socket on which nobody serves", LIMIT, async () => {
    const { code, err } = await dray(["pulls", "--socket", "unix://nobody.sock"]);
    assert.equal(code, 8);
    assert.match(
      err,
      /^dray: Cannot ask ".*\/nobody\.sock" for its pulls: connect ENOENT .*; is dray cri running there\?$/m,
    );
  });
});
