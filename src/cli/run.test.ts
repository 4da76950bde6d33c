import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { COMMAND_NAMES, loadCommands, splitCommand } from "./catalogue.ts";
import { EXIT_CODES } from "./exit-code.ts";
import { formatCliDocs } from "./format-docs.ts";
import { run } from "./run.ts";
import { type MemoryContext, createMemoryContext } from "./testing.ts";

async function dray(...words: string[]): Promise<{ code: number; context: MemoryContext }> {
  const context = createMemoryContext({ columns: 100 });
  return { code: await run(words, context), context };
}

test("--version prints the version of package.json", async () => {
  const { version } = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  for (const word of ["--version", "version"]) {
    const { code, context } = await dray(word);
    assert.deepEqual([code, context.stdout.text], [0, `${version}\n`]);
  }
});

test("help names every command and exit code, and stays within the line", async () => {
  const { code, context } = await dray("--help");
  assert.equal(code, 0);
  for (const name of COMMAND_NAMES) assert.match(context.stdout.text, new RegExp(`^  ${name} `, "m"));
  for (const exit of EXIT_CODES) assert.match(context.stdout.text, new RegExp(`^  ${exit.code} `, "m"));
  for (const line of context.stdout.text.split("\n")) assert.ok(line.length <= 100, line);
  assert.equal((await dray()).context.stdout.text, context.stdout.text);
});

test("every command's help shows its usage, options and an example", async () => {
  for (const command of await loadCommands()) {
    const { code, context } = await dray(command.name, "--help");
    assert.equal(code, 0, command.name);
    assert.match(context.stdout.text, new RegExp(`^Usage: dray ${command.name} \\[OPTIONS\\]`, "m"));
    for (const option of Object.keys(command.options))
      assert.ok(context.stdout.text.includes(`--${option}`), option);
    assert.ok(command.examples.length > 0, `${command.name} has no example`);
    assert.match(command.summary, /^[A-Z].*[^.]$/);
    assert.equal((await dray("help", command.name)).context.stdout.text, context.stdout.text);
  }
});

test("an empty --data-dir is refused, rather than taken for the current folder", async () => {
  for (const words of [["images"], ["gc"], ["df"], ["rm", "x"]]) {
    const { code, context } = await dray(...words, "--data-dir", "");
    assert.equal(code, 2);
    assert.match(context.stderr.text, /^dray: Option --data-dir needs a value: --data-dir DIR\n/);
  }
});

test("a wrong value of a shared option points at the help of the command it was given to", async () => {
  const { code, context } = await dray("pull", "--jobs", "0", "busybox");
  assert.equal(code, 2);
  assert.match(context.stderr.text, /^Try: dray pull --help$/m);
});

test("every example of the help is a command line that parses", async () => {
  const { parseArguments } = await import("./parse-arguments.ts");
  for (const command of await loadCommands()) {
    for (const { command: line } of command.examples) {
      for (const words of drayWords(line)) {
        const [name, rest] = splitCommand(words);
        const target = (await loadCommands()).find((each) => each.name === name);
        assert.ok(target !== undefined, line);
        assert.doesNotThrow(() => parseArguments(target, rest), line);
      }
    }
  }
});

/** The words behind each `dray` of a line, up to where the shell goes on. */
function drayWords(line: string): string[][] {
  return [...line.matchAll(/(?:^|&& |\| |<\()dray ((?:'[^']*'|[^|&>();'])+)/g)].map((match) =>
    (match[1] ?? "")
      .trim()
      .split(/\s+/)
      .filter((word) => word !== ""),
  );
}

test("wrong command lines end with code 2 and a sentence that helps", async () => {
  for (const [words, message] of [
    [["pul"], 'Unknown command "pul"; did you mean pull?'],
    [["frobnicate"], 'Unknown command "frobnicate"'],
    [["--jsn"], 'Unknown option "--jsn"'],
    [["pull"], "dray pull needs IMAGE: the image's name in a registry"],
    [["pull", "--platfrm", "x", "y"], 'Unknown option "--platfrm" for dray pull; did you mean --platform?'],
    [["pull", "x", "--platform"], "Option --platform needs a value: --platform OS/ARCH"],
    [["pull", "--quiet=yes", "x"], "Option --quiet takes no value"],
    [["pull", "--jobs", "many", "x"], 'Option --jobs does not take "many": it is a whole number from 1 up'],
    [["save", "--format", "zip", "x"], 'Option --format does not take "zip": it is one of oci, docker'],
    [["tag", "a", "b", "c"], 'dray tag does not take another argument: "c"'],
    [["pull", "oci:dir"], "Cannot pull from oci: dray copy reads from every kind of place"],
    [["completion", "tcsh"], 'Cannot complete for "tcsh": it is one of bash, zsh, fish'],
    [
      ["pull", "--all-platforms", "--platform", "linux/arm64", "x"],
      "Options --platform and --all-platforms contradict each other",
    ],
    [
      ["pull", "-u", "me", "x"],
      "Option --username needs a password: add --password-stdin, or set DRAY_PASSWORD",
    ],
    [
      ["login", "-u", "me"],
      "dray login needs a password: add --password-stdin and give it on standard input",
    ],
  ] as const) {
    const { code, context } = await dray(...words);
    assert.equal(context.stderr.text.split("\n")[0], `dray: ${message}`);
    assert.equal(code, 2, message);
    assert.equal(context.stdout.text, "");
  }
});

test("--json gives programs the error as an object, and --debug its stack", async () => {
  const { context } = await dray("tag", "a", "oci:x", "--json");
  assert.deepEqual(JSON.parse(context.stderr.text), {
    error: { code: "USAGE", message: "Cannot name images in oci: dray tag works in the node's store" },
  });
  assert.match((await dray("pul", "--debug")).context.stderr.text, /UsageError: [^]*\n {4}at /);
});

test("an aborted command ends quietly with the code of an interruption", async () => {
  const controller = new AbortController();
  controller.abort();
  const context = createMemoryContext({ signal: controller.signal, stdin: "x" });
  assert.equal(await run(["load"], context), 130);
  assert.equal(context.stderr.text, "");
});

test("docs/cli.md is what the commands say; node scripts/cli-docs.ts renews it", async () => {
  const page = await readFile(new URL("../../docs/cli.md", import.meta.url), "utf8");
  assert.equal(page, await formatCliDocs());
});
