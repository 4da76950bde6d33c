import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { watchFiles } from "./watch-files.ts";

const folder = mkdtempSync(join(tmpdir(), "dray-watch-"));
after(() => rmSync(folder, { recursive: true }));

test(
  "watchFiles() calls back for what changed before its first look, then once for each change",
  { timeout: 60_000 },
  async () => {
    const [path, ending] = [join(folder, "file"), new AbortController()];
    writeFileSync(path, "what was read");
    writeFileSync(path, "what came after");
    let calls = 0;
    let news = Promise.withResolvers<void>();
    const watching = watchFiles({
      paths: () => [path, join(folder, "missing")],
      interval: 1,
      signal: ending.signal,
      onChange: async () => {
        calls++;
        news.resolve();
      },
    });
    for (const text of ["by another name", "by yet another", "the last one"]) {
      await news.promise;
      news = Promise.withResolvers();
      writeFileSync(`${path}.new`, text);
      renameSync(`${path}.new`, path);
    }
    await news.promise;
    ending.abort();
    await watching;
    assert.equal(calls, 4);
  },
);
