/**
 * Builds `dist`, which plain Node 24 and TypeScript under `nodenext` can use: declarations of every source that isn't
 * a test, and JavaScript bundled to one file per door and what doors share, since a command that loads a hundred
 * modules spends more time on finding them than on its work. Built beside and swapped in, so nobody meets half a
 * `dist`.
 */
import { spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { rolldown } from "rolldown";

import { ROOMS } from "./rooms.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
const fresh = join(root, ".dray", `dist-${process.pid}`);
const compiler = fileURLToPath(new URL("../node_modules/typescript/bin/tsc", import.meta.url));

try {
  const args = [compiler, "-p", "tsconfig.build.json", "--outDir", fresh];
  const built = spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" });
  if (built.status === 0) {
    for (const file of globSync("**/*.d.ts", { cwd: fresh })) nameOutputs(join(fresh, file));
    await bundle();
    rmSync(dist, { recursive: true, force: true });
    renameSync(fresh, dist);
  } else {
    process.exitCode = built.status ?? 1;
  }
} finally {
  rmSync(fresh, { recursive: true, force: true });
}

/** Every export of package.json, and the command; what they share stays shared, so that `instanceof` holds. */
async function bundle(): Promise<void> {
  const doors = ["errors", "cli/main", ...Object.keys(ROOMS).map((room) => `${room}/index`)];
  const input = Object.fromEntries(
    doors
      .map((door) => [door, join(root, "src", `${door}.ts`)] as const)
      .filter(([, file]) => existsSync(file)),
  );
  const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  const external = [/^node:/, ...Object.keys(dependencies)];
  await using bundler = await rolldown({ input, external, platform: "node" });
  await bundler.write({
    dir: fresh,
    format: "es",
    entryFileNames: "[name].js",
    chunkFileNames: "shared/[name]-[hash].js",
  });
}

/** The compiler leaves `.ts` in the relative imports of declarations; users have `.js` beside them. */
function nameOutputs(file: string): void {
  const text = readFileSync(file, "utf8");
  const renamed = text.replaceAll(/(from |import\()("\.{1,2}\/[^"]+)\.ts"/g, '$1$2.js"');
  if (renamed !== text) writeFileSync(file, renamed);
}
