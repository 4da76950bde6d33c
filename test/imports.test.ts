import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { GROUND, ROOMS } from "../scripts/rooms.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const src = join(root, "src");

interface Source {
  /** Relative to `src`: `oci/digest.ts`. */
  readonly path: string;
  readonly text: string;
  /** Without comments and the contents of strings, for looking for words. */
  readonly code: string;
  readonly isTest: boolean;
}

/** Comments, strings, and regular expressions where they end like one. */
const TOKENS =
  /\/\/[^\n]*|\/\*[^]*?\*\/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`|\/(?![*/])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/(?=[dgimsuvy]*\s*[.,;)\]}:?\n])/g;

const sources: readonly Source[] = globSync("**/*.ts", { cwd: src })
  .toSorted()
  .map((path) => {
    const text = readFileSync(join(src, path), "utf8");
    const code = stripComments(text);
    return { path, text, code, isTest: /(^|[./])(test|conformance|testing)\.ts$/.test(path) };
  });
const shipped = sources.filter((source) => !source.isTest);

describe("the import table", () => {
  it("knows every folder of src, and every room it knows has a door", () => {
    const folders = new Set(shipped.map((source) => roomOf(source.path)));
    const known = [...Object.keys(ROOMS), ...GROUND];
    assert.deepEqual(
      [...folders].filter((folder) => !known.includes(folder)),
      [],
    );
    assert.deepEqual(
      Object.keys(ROOMS).filter((room) => !existsSync(join(src, room, "index.ts"))),
      [],
    );
  });

  it("lets a room enter others only as the table says, and only by the door", () => {
    const faults = shipped.flatMap((source) =>
      importsOf(source).flatMap((specifier) => {
        const fault = findFault(source.path, specifier);
        return fault === undefined ? [] : [`src/${source.path} imports "${specifier}": ${fault}`];
      }),
    );
    assert.deepEqual(faults, []);
  });

  it("sees a forbidden import, a side entrance, and a room entering its own door", () => {
    assert.match(findFault("oci/copy.ts", "../client/index.ts") ?? "", /oci may not enter client/);
    assert.match(findFault("client/pull.ts", "../oci/digest.ts") ?? "", /by its door/);
    assert.match(findFault("client/pull.ts", "./index.ts") ?? "", /own door/);
    assert.match(findFault("internal/secret.ts", "../store/index.ts") ?? "", /internal may not enter store/);
    assert.match(findFault("oci/copy.ts", "../../test/images.ts") ?? "", /outside src/);
    assert.match(findFault("oci/copy.ts", "./copy.test.ts") ?? "", /test/);
    assert.match(findFault("oci/copy.ts", "lodash") ?? "", /dependencies/);
    assert.equal(findFault("client/pull.ts", "../oci/index.ts"), undefined);
    assert.equal(findFault("cli/main.ts", "../node/index.ts"), undefined);
    assert.equal(findFault("oci/copy.ts", "../internal/secret.ts"), undefined);
    assert.equal(findFault("oci/copy.ts", "node:crypto"), undefined);
  });

  it("reads every form of import", () => {
    const text = [
      'import a from "./a.ts";',
      'import { b,\n  c } from "./b.ts";',
      'import type { D } from "./d.ts";',
      'export * from "./e.ts";',
      'export { f } from "./f.ts";',
      'const g = await import("./g.ts");',
      'import "./h.ts";',
      'const i = new Worker(new URL("./i.ts", import.meta.url));',
      '// import j from "./j.ts";',
      '/** import k from "./k.ts"; */',
    ].join("\n");
    assert.deepEqual(importsOf({ code: stripComments(text) }), [
      "./a.ts",
      "./b.ts",
      "./d.ts",
      "./e.ts",
      "./f.ts",
      "./g.ts",
      "./h.ts",
      "./i.ts",
    ]);
  });
});

describe("the package", () => {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly exports: Readonly<Record<string, { readonly types: string; readonly default: string } | string>>;
  };

  it("exports every room and the error base, each by its door, and no root", () => {
    const expected: Record<string, unknown> = {
      "./errors": { types: "./dist/errors.d.ts", default: "./dist/errors.js" },
      "./package.json": "./package.json",
    };
    for (const room of Object.keys(ROOMS)) {
      expected[`./${room}`] = { types: `./dist/${room}/index.d.ts`, default: `./dist/${room}/index.js` };
    }
    assert.deepEqual({ ...manifest.exports }, expected);
  });

  it("has a README whose map names every room", () => {
    const readme = readFileSync(join(root, "README.md"), "utf8");
    assert.deepEqual(
      Object.keys(ROOMS).filter((room) => !readme.includes(`[\`${room}\`](src/${room}/index.ts)`)),
      [],
    );
  });
});

describe("libraries", () => {
  const libraries = shipped.filter((source) => roomOf(source.path) !== "cli");

  for (const [word, pattern] of [
    ["process.env", /\bprocess\s*\.\s*env\b|\bprocess\[/],
    ["process.exit", /\bprocess\s*\.\s*exit(Code)?\b/],
    ["process.stdout or stderr", /\bprocess\s*\.\s*std(out|err|in)\b/],
    ["console", /\bconsole\s*\./],
  ] as const) {
    it(`never use ${word}: it comes in through options`, () => {
      assert.deepEqual(
        libraries.filter((source) => pattern.test(withoutStrings(source.code))).map((source) => source.path),
        [],
      );
    });
  }

  it("have doors without logic: named exports alone", () => {
    const doors = shipped.filter((source) => /^[^/]+\/index\.ts$/.test(source.path));
    const faults = doors.filter((door) => {
      const rest = door.code.replaceAll(/export\s+(type\s+)?\{[^}]*\}(\s*from\s*"[^"]+")?\s*;/g, "");
      return rest.trim() !== "";
    });
    assert.deepEqual(
      faults.map((door) => door.path),
      [],
    );
  });

  it("begin their door with a comment that says what the room is for", () => {
    const doors = shipped.filter((source) => /^[^/]+\/index\.ts$/.test(source.path));
    assert.deepEqual(
      doors.filter((door) => !door.text.startsWith("/**")).map((door) => door.path),
      [],
    );
  });

  it("have no file over 400 lines, and no test over 600: there a second idea moved in", () => {
    assert.deepEqual(
      sources
        .filter((source) => !source.path.includes("/generated/"))
        .map((source) => ({ ...source, lines: source.text.split("\n").length - 1 }))
        .filter(({ lines, isTest }) => lines > (isTest ? 600 : 400))
        .map(({ path, lines }) => `src/${path} has ${lines}`),
      [],
    );
  });
});

/** The folder below `src`, or the file's own name when it stands on the ground floor. */
function roomOf(path: string): string {
  return path.split("/")[0] ?? path;
}

function findFault(path: string, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return findPackageFault(specifier);
  const target = relative(src, resolve(src, dirname(path), specifier));
  if (target.startsWith("..")) return "it is outside src";
  if (/(^|[./])(test|conformance|testing)\.ts$/.test(target)) return "a test is not for sources";
  const from = roomOf(path);
  const to = roomOf(target);
  if (from === to)
    return target === `${to}/index.ts` ? "files of a room don't use their own door" : undefined;
  if (GROUND.includes(to)) return undefined;
  if (target !== `${to}/index.ts`) return `${to} is entered by its door, ${to}/index.ts`;
  const permitted = GROUND.includes(from)
    ? from === "internal"
      ? ["oci"]
      : []
    : (ROOMS[from]?.enters ?? []);
  return permitted === "every" || permitted.includes(to) ? undefined : `${from} may not enter ${to}`;
}

function findPackageFault(specifier: string): string | undefined {
  if (specifier.startsWith("node:")) return undefined;
  if (builtinModules.includes(specifier)) return "write it with node: in front";
  const name = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  return name in dependencies ? undefined : `${name} is not among the dependencies`;
}

function importsOf(source: Pick<Source, "code">): string[] {
  const forms = [
    /(?:^|[\s;}])(?:import|export)\s(?:[^;"'`]*?\sfrom\s*)?["']([^"']+)["']/g,
    /\bimport\(\s*["']([^"']+)["']/g,
    /\bnew\s+URL\(\s*["'](\.{1,2}\/[^"']+\.ts)["']/g,
  ];
  const found = forms.flatMap((form) => [...source.code.matchAll(form)]);
  return found.toSorted((a, b) => a.index - b.index).map((match) => match[1] ?? "");
}

/** Blanks comments out, leaving strings alone so that `"http://…"` isn't taken for one. */
function stripComments(text: string): string {
  return text.replaceAll(TOKENS, (token) => (token.startsWith("//") || token.startsWith("/*") ? " " : token));
}

function withoutStrings(code: string): string {
  return code.replaceAll(TOKENS, (token) => (/^["'`]/.test(token) ? '""' : token));
}
