/**
 * Runs suites of tests in one `node --test`, so that its closing summary counts all of them:
 *
 * ```sh
 * node scripts/test.ts unit vectors journeys [-- --test-name-pattern=…]
 * ```
 *
 * A run also fails when a secret of a test shows up in anything that was said (`watch-secrets.js`), and when a file of
 * tests doesn't end (`end-tests.js`).
 */
import { spawn } from "node:child_process";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const SUITES: Readonly<Record<string, readonly string[]>> = {
  unit: ["src/**/*.test.ts", "test/*.test.ts"],
  vectors: ["test/vectors/**/*.test.ts"],
  journeys: ["test/journeys/**/*.test.ts"],
  interop: ["test/interop/**/*.test.ts"],
};

/** A test that waits for something that never comes fails here instead of holding everything up. */
const TEST_TIMEOUT_MS = 10 * 60 * 1000;

const root = fileURLToPath(new URL("..", import.meta.url));
const separator = process.argv.indexOf("--", 2);
const names = process.argv.slice(2, separator < 0 ? undefined : separator);
const passedOn = separator < 0 ? [] : process.argv.slice(separator + 1);

const unknown = names.filter((name) => !(name in SUITES));
if (names.length === 0 || unknown.length > 0) {
  console.error(
    `Cannot run suites ${JSON.stringify(unknown)}: choose from ${Object.keys(SUITES).join(", ")}`,
  );
  process.exit(2);
}

const files = names.flatMap((name) => {
  const found = globSync([...(SUITES[name] ?? [])], { cwd: root }).toSorted();
  if (found.length === 0) console.error(`The suite "${name}" has no files yet`);
  return found;
});
if (files.length === 0) process.exit(1);

const notes = mkdtempSync(join(tmpdir(), "dray-test-"));
const seen = join(notes, "secrets-seen");
const preloads = ["watch-secrets.js", "end-tests.js"].map(
  (name) => `--import=${new URL(name, import.meta.url).href}`,
);
const child = spawn(
  process.execPath,
  [
    "--test",
    "--test-reporter=spec",
    `--test-concurrency=${Math.max(2, availableParallelism())}`,
    `--test-timeout=${TEST_TIMEOUT_MS}`,
    ...passedOn,
    ...files,
  ],
  {
    cwd: root,
    stdio: "inherit",
    env: {
      ...process.env,
      // What tests start by the name "node" is this Node too.
      PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"] ?? ""}`,
      NODE_OPTIONS: [process.env["NODE_OPTIONS"] ?? "", ...preloads].join(" ").trim(),
      DRAY_SECRETS_SEEN: seen,
    },
  },
);
child.on("exit", (code) => {
  const secrets = existsSync(seen) ? [...new Set(readFileSync(seen, "utf8").trim().split("\n"))] : [];
  rmSync(notes, { recursive: true });
  for (const line of secrets) console.error(`A secret was shown: ${line}`);
  process.exitCode = secrets.length > 0 ? (code ?? 1) || 1 : (code ?? 1);
});
