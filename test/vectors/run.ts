/**
 * `npm run vectors -- [FOLDER]`: runs every vector file of a folder, the project's own by default, and prints what
 * passed, failed or isn't covered yet. Exits with 1 when something failed, with 2 when the folder can't be read.
 */
import { fileURLToPath } from "node:url";

import { runFolder, VectorFolderError } from "./folder.ts";

/** Differences shown of one file. */
const SHOWN = 5;

const folder = process.argv[2] ?? fileURLToPath(new URL(".", import.meta.url));
const total = { passed: 0, failed: 0, uncovered: 0 };
try {
  for await (const { file, passed, uncovered, differences } of runFolder(folder)) {
    total.passed += passed;
    total.failed += differences.length;
    total.uncovered += uncovered;
    console.log(`${file}: ${summary(passed, differences.length, uncovered)}`);
    for (const { id, why } of differences.slice(0, SHOWN)) console.log(`  ${id}: ${why}`);
    if (differences.length > SHOWN) console.log(`  … and ${differences.length - SHOWN} more`);
  }
  console.log(`total: ${summary(total.passed, total.failed, total.uncovered)}`);
  process.exitCode = total.failed > 0 ? 1 : 0;
} catch (error) {
  if (!(error instanceof VectorFolderError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}

function summary(passed: number, failed: number, uncovered: number): string {
  return `${passed} passed, ${failed} failed, ${uncovered} not yet covered`;
}
