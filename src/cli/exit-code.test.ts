import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { DrayError } from "../errors.ts";
import { EXIT_CODES, exitCodeOf } from "./exit-code.ts";

const src = fileURLToPath(new URL("..", import.meta.url));

/** Every code of every room's union: the types are gone at run time, so the sources are read. */
function listCodes(): string[] {
  const files = globSync("{*/*errors.ts,internal/*.ts}", { cwd: src });
  return files.flatMap((file) => {
    const text = readFileSync(join(src, file), "utf8");
    const unions = [...text.matchAll(/export type \w+ErrorCode =([^;]+);/g)].map((match) => match[1] ?? "");
    return unions.flatMap((union) => [...union.matchAll(/"([A-Z_]+)"/g)].map((match) => match[1] ?? ""));
  });
}

test("every error code of every room ends in an exit code of its own kind", () => {
  const codes = listCodes();
  assert.ok(codes.length > 80, `${codes.length} codes found`);
  const known = new Set<number>(EXIT_CODES.map(({ code }) => code));
  for (const code of codes) {
    const exit = exitCodeOf(new DrayError(code, "x"));
    assert.ok(exit > 1 && known.has(exit), `${code} ends in ${exit}`);
  }
});

test("faults of the file system are no defects, everything else unforeseen is", () => {
  assert.equal(exitCodeOf(Object.assign(new Error("x"), { code: "ENOSPC" })), 8);
  assert.equal(exitCodeOf(new TypeError("x")), 70);
  assert.equal(exitCodeOf(Object.assign(new Error("x"), { code: "ERR_ASSERTION" })), 70);
  assert.equal(exitCodeOf("thrown"), 70);
});
