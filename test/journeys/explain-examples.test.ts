/**
 * Every broken situation of examples/broken, explained as its `expected.yaml` says: by the command a person would type,
 * against registries that behave as described there.
 */
import assert from "node:assert/strict";
import { globSync, readFileSync, statSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { describe, it } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { fileURLToPath } from "node:url";

import { parse } from "yaml";

import { parseArguments } from "../../src/cli/parse-arguments.ts";
import { findCommand } from "../../src/cli/catalogue.ts";
import { EXIT_CODES } from "../../src/cli/exit-code.ts";
import { runExplain } from "../../src/cli/explain/run-explain.ts";
import { createMemoryContext } from "../../src/cli/testing.ts";
import { CAUSE_CODES, CAUSES, type Explanation, explanationSchema } from "../../src/explain/index.ts";
import { explainDocs, isCurrent } from "../../scripts/explain-docs.ts";
import { findSchemaFaults } from "./json-schema.ts";
import { ScriptedRegistries, type ScriptedRegistry } from "./scripted-registries.ts";

const ROOT = fileURLToPath(new URL("../../examples/broken/", import.meta.url));

interface Expected {
  readonly title: string;
  readonly command: string;
  readonly registries: Readonly<Record<string, ScriptedRegistry>>;
  /** Of all Pods and images, in the order in which they are told. */
  readonly causes: readonly string[];
  readonly exit: number;
  /** Texts that the advice must hold. */
  readonly advice?: readonly string[];
}

const folders = globSync("*/expected.yaml", { cwd: ROOT })
  .map((path) => join(ROOT, dirname(path)))
  .toSorted();

/** Noon, for whatever looks at a clock. */
const NOW = Date.UTC(2026, 0, 5, 12);

describe("examples/broken", () => {
  for (const folder of folders) {
    const expected = parse(readFileSync(join(folder, "expected.yaml"), "utf8")) as Expected;

    it(`${basename(folder)}: ${expected.title}`, async () => {
      const before = snapshot(folder);
      const told = await tell(folder, expected);
      assert.deepEqual(snapshot(folder), before, "explaining changes no file");
      assert.deepEqual(told.codes, expected.causes, told.tree);
      assert.equal(told.exit, expected.exit);
      for (const text of expected.advice ?? []) assert.ok(told.tree.includes(text), `${text}\n${told.tree}`);
      for (const code of told.codes) {
        assert.ok(told.html.includes(code));
        assert.ok(told.tree.includes(`docs/causes/${code}.md`));
      }
      assert.deepEqual(findSchemaFaults(explanationSchema, told.json), []);
      const shown = [told.tree, JSON.stringify(told.json), told.html, told.errors].join("\n");
      const secrets = secretsOf(folder, expected, told.tokens);
      assert.deepEqual(
        secrets.filter((secret) => shown.includes(secret)),
        [],
      );
      assert.deepEqual(
        told.requests.filter((request) => !/^(HEAD|GET) |^POST .*\/token$/.test(request)),
        [],
      );
    });
  }

  it("has an example for every cause, and every example's exit code is one of the command's", () => {
    const names = folders.map((folder) => basename(folder));
    assert.deepEqual(
      CAUSE_CODES.filter((code) => !names.includes(CAUSES[code].example)),
      [],
    );
    const wrong = CAUSE_CODES.filter((code) => {
      const { causes } = parse(
        readFileSync(join(ROOT, CAUSES[code].example, "expected.yaml"), "utf8"),
      ) as Expected;
      return !causes.includes(code);
    });
    assert.deepEqual(wrong, []);
    const exits = new Set<number>(EXIT_CODES.map(({ code }) => code));
    assert.deepEqual(
      CAUSE_CODES.filter((code) => !exits.has(CAUSES[code].exit)),
      [],
    );
    assert.ok(folders.length >= 40, `only ${folders.length} examples`);
  });
});

describe("docs/causes", () => {
  it("has the pages that the table makes, and the schema is the published one", async () => {
    const root = fileURLToPath(new URL("../../", import.meta.url));
    const docs = await explainDocs();
    const stale = [...docs].filter(
      ([path, text]) => !isCurrent(path, readFileSync(join(root, path), "utf8"), text),
    );
    assert.deepEqual(
      stale.map(([path]) => path),
      [],
    );
    const pages = globSync("docs/causes/*.md", { cwd: root });
    assert.deepEqual(
      pages.filter((path) => !docs.has(path)),
      [],
    );
  });
});

describe("explaining", () => {
  const folder = join(ROOT, "wrong-secret-before-right");
  const image = "registry.example.com/shop/web:1";

  it("asks for each thing once, however many containers want it, and waits for no clock", async (t) => {
    const containers = Array.from({ length: 5 }, (_, index) => ({ name: `c${index}`, image }));
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: { containers } };
    const script = { "registry.example.com": { images: { "shop/web:1": {} } } };
    const registries = new ScriptedRegistries(script);
    const context = createMemoryContext({ cwd: folder, stdin: JSON.stringify(pod), now: () => NOW });
    // Whatever would wait for a moment before it asks on would wait for ever.
    t.mock.timers.enable({ apis: ["setTimeout"] });
    assert.equal(await run(["-"], context, registries), 0);
    assert.equal(new Set(registries.requests).size, registries.requests.length);
    assert.equal(registries.requests.length, 4, registries.requests.join("\n"));
  });

  it("fits its lines to the terminal, and colours them only there", async () => {
    const registries = new ScriptedRegistries({});
    const screen = { cwd: join(ROOT, "several-containers"), now: () => NOW, env: { TERM: "xterm" } };
    const onTerminal = createMemoryContext({ ...screen, isTTY: true, columns: 60 });
    await run(["manifests"], onTerminal, registries);
    assert.ok(onTerminal.stdout.text.includes("\u001b[31m"));
    const lines = stripVTControlCharacters(onTerminal.stdout.text).split("\n");
    const long = lines.filter((line) => line.length > 60 && !line.includes("kubectl "));
    // What is longer is one word.
    assert.deepEqual(
      long.filter((line) => line.replace(/^[│├└─→ ]*/, "").includes(" ")),
      [],
    );
    assert.ok(long.length < lines.length / 2);
    const piped = createMemoryContext(screen);
    await run(["manifests"], piped, registries);
    assert.ok(!piped.stdout.text.includes("\u001b"));
  });

  it("refuses to mix files with a cluster, and says so of files without Pods", async () => {
    const registries = new ScriptedRegistries({});
    const context = createMemoryContext({
      cwd: folder,
      stdin: "{apiVersion: v1, kind: Namespace, metadata: {name: a}}",
    });
    await assert.rejects(run(["manifests", "pod/web"], context, registries), { code: "USAGE" });
    await assert.rejects(run(["-"], context, registries), {
      code: "USAGE",
      message: /nothing that makes Pods/,
    });
    await assert.rejects(run(["-f", "nowhere"], context, registries), { code: "UNREADABLE" });
  });
});

/** What every file below a folder holds, and when it was written. */
function snapshot(folder: string): readonly string[] {
  return globSync("**/*", { cwd: folder, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
    .map((path) => `${path} ${statSync(path).mtimeMs} ${readFileSync(path, "base64")}`);
}

interface Told {
  readonly codes: readonly string[];
  readonly exit: number;
  readonly tree: string;
  readonly json: Explanation;
  readonly html: string;
  readonly errors: string;
  readonly requests: readonly string[];
  readonly tokens: readonly string[];
}

/** Runs the example's command twice: for people with a page beside it, and for programs. */
async function tell(folder: string, { command, registries: script }: Expected): Promise<Told> {
  const [, , ...words] = command.split(" ");
  const page = await mkdtemp(join(tmpdir(), "dray-explain-"));
  const registries = new ScriptedRegistries(script);
  const screen = { cwd: folder, now: () => NOW, env: { PATH: process.env["PATH"] } };
  try {
    const people = createMemoryContext(screen);
    const exit = await run([...words, "--debug", "--html", join(page, "why.html")], people, registries);
    const programs = createMemoryContext(screen);
    assert.equal(await run([...words, "--json"], programs, registries), exit);
    const json = JSON.parse(programs.stdout.text) as Explanation;
    const codes = json.pods.flatMap((pod) => [...pod.causes, ...pod.images.flatMap(({ causes }) => causes)]);
    return {
      codes: codes.map(({ code }) => code),
      exit,
      tree: people.stdout.text,
      json,
      html: await readFile(join(page, "why.html"), "utf8"),
      errors: people.stderr.text + programs.stderr.text,
      requests: registries.requests,
      tokens: registries.tokens,
    };
  } finally {
    await rm(page, { recursive: true });
  }
}

async function run(
  words: readonly string[],
  context: ReturnType<typeof createMemoryContext>,
  { send }: ScriptedRegistries,
): Promise<number> {
  const command = await findCommand("explain");
  assert.ok(command !== undefined);
  const { values, positionals } = parseArguments(command, [...words]);
  return await runExplain({ values, positionals, send }, context);
}

/** Everything in and around an example that nobody may see, in the forms in which it travels. */
function secretsOf(folder: string, { registries }: Expected, tokens: readonly string[]): readonly string[] {
  const files = globSync("**/*", { cwd: folder, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== "expected.yaml")
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"));
  const written = files.flatMap((text) =>
    [...text.matchAll(/"(username|password|auth)"\s*:\s*"([^"]+)"/g)].map(([, name = "", value = ""]) => ({
      name,
      value,
    })),
  );
  const users = written.filter(({ name }) => name === "username").map(({ value }) => value);
  const passwords = written.filter(({ name }) => name === "password").map(({ value }) => value);
  const scripted = Object.values(registries).flatMap((registry) => Object.entries(registry.users ?? {}));
  const logins = [...users.flatMap((user) => passwords.map((password) => [user, password])), ...scripted];
  return [
    ...passwords,
    ...written.filter(({ name }) => name === "auth").map(({ value }) => value),
    ...scripted.map(([, password]) => password),
    ...logins.map(([user, password]) => Buffer.from(`${user}:${password}`).toString("base64")),
    ...passwords.map((password) => Buffer.from(password).toString("base64")),
    ...tokens,
  ];
}
