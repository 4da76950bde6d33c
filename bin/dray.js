#!/usr/bin/env node
// Old-style code on purpose: an older Node must be able to read this file and say what is wrong.
"use strict";
import { existsSync, readFileSync } from "node:fs";
import module from "node:module";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const major = Number(process.versions.node.split(".")[0]);
if (major < 24) {
  const own = here("../node_modules/node/bin/node");
  if (existsSync(own)) {
    const { spawnSync } = await import("node:child_process");
    const child = spawnSync(own, process.argv.slice(1), { stdio: "inherit" });
    process.exit(child.status ?? 1);
  }
  process.stderr.write(`dray needs Node.js 24 or newer; this is ${process.version}.\n`);
  process.exit(1);
}

if (process.argv.length === 3 && process.argv[2] === "--version") {
  process.stdout.write(`${JSON.parse(readFileSync(here("../package.json"), "utf8")).version}\n`);
} else {
  module.enableCompileCache?.();
  // A checkout runs its sources; an installed package has only what was built from them.
  const source = "../src/cli/main.ts";
  await import(existsSync(here(source)) ? source : "../dist/cli/main.js");
}
