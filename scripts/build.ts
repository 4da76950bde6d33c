/**
 * Builds `dist`, which plain Node 24 and TypeScript under `nodenext` can use: JavaScript and declarations of every
 * source that isn't a test. Built beside and swapped in, so nobody meets half a `dist`.
 */
import { spawnSync } from "node:child_process";
import { globSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
const fresh = join(root, ".dray", `dist-${process.pid}`);
const compiler = fileURLToPath(new URL("../node_modules/typescript/bin/tsc", import.meta.url));

try {
  const args = [compiler, "-p", "tsconfig.build.json", "--outDir", fresh];
  const built = spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" });
  if (built.status === 0) {
    for (const file of globSync("**/*.d.ts", { cwd: fresh })) nameOutputs(join(fresh, file));
    rmSync(dist, { recursive: true, force: true });
    renameSync(fresh, dist);
  } else {
    process.exitCode = built.status ?? 1;
  }
} finally {
  rmSync(fresh, { recursive: true, force: true });
}

/** The compiler leaves `.ts` in the relative imports of declarations; users have `.js` beside them. */
function nameOutputs(file: string): void {
  const text = readFileSync(file, "utf8");
  const renamed = text.replaceAll(/(from |import\()("\.{1,2}\/[^"]+)\.ts"/g, '$1$2.js"');
  if (renamed !== text) writeFileSync(file, renamed);
}
