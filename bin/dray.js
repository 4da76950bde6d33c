#!/usr/bin/env node
// Old-style code on purpose: an older Node must be able to read this file and say what is wrong.
"use strict";
import { existsSync, mkdirSync, readFileSync, statSync } from "fs";
import module from "module";
import { homedir } from "os";
import { join } from "path";
import { fileURLToPath } from "url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

if (Number(process.versions.node.split(".")[0]) < 24) {
  startNewer();
} else if (process.argv.length === 3 && process.argv[2] === "--version") {
  process.stdout.write(`${JSON.parse(readFileSync(here("../package.json"), "utf8")).version}\n`);
} else {
  keepCompiled();
  // A checkout runs its sources; an installed package has only what was built from them.
  const source = "../src/cli/main.ts";
  void import(existsSync(here(source)) ? source : "../dist/cli/main.js");
}

/** In a folder that is ours alone: what is read from there is run. Without one, nothing is kept. */
function keepCompiled() {
  if (process.env.NODE_COMPILE_CACHE !== undefined) {
    module.enableCompileCache();
    return;
  }
  try {
    const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "dray", "compiled");
    if (!existsSync(folder)) mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = statSync(folder);
    const ours = process.getuid === undefined || (uid === process.getuid() && (mode & 0o022) === 0);
    if (ours) module.enableCompileCache(folder);
  } catch {
    // A home that can't be written to costs some milliseconds, nothing more.
  }
}

/** In a checkout the npm package "node" brings a new enough one. */
function startNewer() {
  const own = here("../node_modules/node/bin/node");
  if (!existsSync(own)) {
    process.stderr.write(`dray needs Node.js 24 or newer; this is ${process.version}.\n`);
    process.exitCode = 1;
    return;
  }
  void import("child_process").then(({ spawn }) => {
    const child = spawn(own, process.argv.slice(1), { stdio: "inherit" });
    const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
    const forward = (signal) => child.kill(signal);
    for (const signal of signals) process.on(signal, forward);
    child.on("error", (error) => {
      process.stderr.write(`dray cannot start ${own}: ${error.message}\n`);
      process.exitCode = 1;
    });
    child.on("exit", (code, signal) => {
      for (const name of signals) process.removeListener(name, forward);
      // Ending as the child ended lets a shell see the same.
      if (signal === null) process.exitCode = code;
      else process.kill(process.pid, signal);
    });
  });
}
