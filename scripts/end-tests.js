// Preloaded into every process of a test run (`node --import`): ends a file of tests that doesn't end by itself. A limit
// on tests doesn't do that: what a test left open, such as a server, keeps its file's process alive for ever after.
"use strict";

const MINUTE = 60_000;
/** More than any one test may take, so that those are told of first. */
const LIMIT = Number(process.env["DRAY_TEST_FILE_LIMIT"] ?? 12 * MINUTE);

const file = process.argv[1] ?? "";
if (process.env["NODE_TEST_CONTEXT"] !== undefined && file.endsWith(".test.ts")) {
  const timer = setTimeout(() => {
    const open = [...new Set(process.getActiveResourcesInfo())].join(", ");
    process.stderr.write(`${file} doesn't end: still open after ${LIMIT / MINUTE} minutes are ${open}\n`);
    // Not process.exit(): that may wait for threads.
    process.kill(process.pid, "SIGKILL");
  }, LIMIT);
  timer.unref();
}
