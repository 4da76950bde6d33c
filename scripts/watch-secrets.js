// Preloaded into every process of a test run (`node --import`): looks for tests' secrets in whatever the process says,
// and notes where one shows up in the file that DRAY_SECRETS_SEEN names. What is looked at:
//
//   stdout and stderr, of tests and of every node that they start
//   what commands say in memory (`src/cli/testing.ts`)
//   answers to /metrics, health checks, and questions about events
//
// A secret in a test should hold one of MARKS, so that it is known again. Each is looked for as it is, as base64 (of
// which basic authentication is one) at any place in it, and as a part of a URL.
"use strict";
import { appendFileSync } from "node:fs";
import childProcess from "node:child_process";
import http from "node:http";
import { syncBuiltinESMExports } from "node:module";

export const MARKS = [
  "opens-sesame",
  "drayTestSecret",
  "bob-and-his-boat",
  "alice-was-here",
  "secret of the mirror",
  "plugin-secret",
  "builder-pw",
  "service-account-pw",
  "pod-secret-pw",
  "wrong-0f-alice",
];

/** All forms of all marks. */
const PATTERN = new RegExp(MARKS.flatMap(formsOf).map(escape).join("|"));
const LONGEST = 64;
const seenFile = process.env["DRAY_SECRETS_SEEN"];

/** @param {string} text */
export function findSecret(text) {
  const found = PATTERN.exec(text);
  return found === null ? undefined : found.index;
}

/** @param {string} mark */
function formsOf(mark) {
  const aligned = [0, 1, 2].map((before) => {
    const text = Buffer.from(`${"x".repeat(before)}${mark}`)
      .toString("base64")
      .replaceAll("=", "");
    // What its neighbours have a share in says nothing.
    return text.slice(before === 0 ? 0 : before + 1, text.length - 2);
  });
  return [...new Set([mark, encodeURIComponent(mark), mark.replaceAll(" ", "+"), ...aligned])];
}

/** @param {string} text */
function escape(text) {
  return text.replaceAll(/[$()*+.?[\\\]^{|}]/g, "\\$&");
}

/** Remembers the end of what was said, as a secret may come in two pieces. @param {string} where */
function watcher(where) {
  let tail = "";
  return (/** @type {unknown} */ chunk) => {
    if (typeof chunk !== "string" && !(chunk instanceof Uint8Array)) return;
    const text = tail + (typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("latin1"));
    const at = findSecret(text);
    tail = text.slice(-LONGEST);
    if (at === undefined || seenFile === undefined) return;
    tail = "";
    const before = text.slice(Math.max(0, at - 160), at).replaceAll(/\s+/g, " ");
    const what = `${where} of ${process.argv.slice(1).join(" ").slice(0, 200)}`;
    appendFileSync(seenFile, `${JSON.stringify({ what, before })}\n`);
  };
}

if (seenFile !== undefined) {
  for (const [name, stream] of Object.entries({ stdout: process.stdout, stderr: process.stderr })) {
    // Handing out credentials is what these are for.
    if (name === "stdout" && process.argv.some((word) => /credential-(?:provider|helper)/.test(word)))
      continue;
    const look = watcher(name);
    const write = stream.write.bind(stream);
    stream.write = /** @type {typeof stream.write} */ (
      (chunk, ...rest) => {
        look(chunk);
        return write(chunk, ...rest);
      }
    );
  }
  globalThis[Symbol.for("dray.test.output")] = (/** @type {string} */ name) => watcher(`${name} in memory`);
  const looks = new WeakMap();
  for (const method of ["write", "end"]) {
    const original = http.ServerResponse.prototype[method];
    http.ServerResponse.prototype[method] = function watched(chunk, ...rest) {
      const path = this.req?.url ?? "";
      if (/^\/(?:metrics|readyz|livez|healthz)\b|\/events\b/.test(path)) {
        if (!looks.has(this)) looks.set(this, watcher(`the answer to ${path}`));
        looks.get(this)(chunk);
      }
      return original.call(this, chunk, ...rest);
    };
  }
  // Tests start commands with environments of their own.
  const { spawn } = childProcess;
  childProcess.spawn = (command, args, options, ...rest) => {
    const own = Array.isArray(args) ? options : args;
    const env = own?.env;
    const isNode = String(command) === process.execPath || /(?:^|\/)(?:node|dray)$/.test(String(command));
    if (env !== undefined && isNode && env.DRAY_SECRETS_SEEN === undefined) {
      const { NODE_OPTIONS, DRAY_SECRETS_SEEN } = process.env;
      const watched = {
        ...own,
        env: { ...env, NODE_OPTIONS: env.NODE_OPTIONS ?? NODE_OPTIONS, DRAY_SECRETS_SEEN },
      };
      return Array.isArray(args) ? spawn(command, args, watched, ...rest) : spawn(command, watched, ...rest);
    }
    return spawn(command, args, options, ...rest);
  };
  syncBuiltinESMExports();
}
