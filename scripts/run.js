// Starts a TypeScript file with Node 24 or newer: `node scripts/run.js FILE [ARGUMENT...]`.
//
// Old-style code on purpose: an older Node must be able to read this file and say what is wrong. npm puts
// node_modules/.bin first on the PATH, where the development dependency "node" keeps a new enough one, so this
// speaks up only where that package's install script didn't run.
"use strict";
import { existsSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { resolve } from "node:path";

const [file = "", ...rest] = process.argv.slice(2);

if (Number(process.versions.node.split(".")[0]) >= 24) {
  const path = resolve(file);
  process.argv.splice(1, process.argv.length, path, ...rest);
  await import(pathToFileURL(path).href);
} else {
  const own = fileURLToPath(new URL("../node_modules/node/bin/node", import.meta.url));
  if (existsSync(own)) {
    const { spawnSync } = await import("node:child_process");
    const child = spawnSync(own, [file, ...rest], { stdio: "inherit" });
    process.exitCode = child.status === null ? 1 : child.status;
  } else {
    process.stderr.write(
      `dray needs Node.js 24 or newer and this is ${process.version}: run "npm ci" with install scripts allowed, which brings one, or install Node.js 24\n`,
    );
    process.exitCode = 1;
  }
}
