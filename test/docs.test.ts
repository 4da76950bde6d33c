/**
 * Documents tell the truth: the blocks marked `sh run` and `ts run` in README.md, CONTRIBUTING.md and below `docs/`
 * are run, page by page and in order, in a new folder with a registry of its own on `localhost:5000`; and a `text`
 * block that follows is what they print. Digests, ports and times may differ.
 */
import assert from "node:assert/strict";
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";

import { ROOMS } from "../scripts/rooms.ts";
import { serveRegistry, type ServedRegistry } from "../src/registry/index.ts";
import { ROOT, run } from "./processes.ts";

interface Snippet {
  readonly language: string;
  readonly text: string;
  readonly line: number;
  readonly output: string | undefined;
}

const pages = globSync(["README.md", "CONTRIBUTING.md", "docs/**/*.md"], { cwd: ROOT }).toSorted();
const snippets = new Map(pages.map((page) => [page, readSnippets(readFileSync(join(ROOT, page), "utf8"))]));

for (const [page, list] of snippets) {
  if (list.length === 0) continue;
  describe(`the snippets of ${page}`, () => {
    const folder = mkdtempSync(join(tmpdir(), "dray-docs-"));
    const bin = join(folder, ".bin");
    let registry: ServedRegistry;

    before(async () => {
      registry = await serveRegistry({ dir: join(folder, ".registry"), port: 0 });
      mkdirSync(bin);
      const starter = `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, "bin", "dray.js")}' "$@"\n`;
      writeFileSync(join(bin, "dray"), starter, { mode: 0o755 });
    });
    after(async () => {
      await registry.close();
      rmSync(folder, { recursive: true, force: true });
    });

    for (const snippet of list) {
      it(`line ${snippet.line} does what the page says`, async () => {
        const here = `localhost:${registry.port}`;
        const text = snippet.text.replaceAll("localhost:5000", here).replaceAll("127.0.0.1:5000", here);
        const env = {
          PATH: [bin, dirname(process.execPath), process.env["PATH"]].join(delimiter),
          HOME: folder,
          XDG_DATA_HOME: join(folder, ".data"),
        };
        const printed = await run(...commandOf(snippet.language, text, folder), {
          cwd: folder,
          env,
          timeout: 600_000,
        });
        if (snippet.output !== undefined) assert.equal(settle(printed), settle(snippet.output));
      });
    }
  });
}

describe("documents", () => {
  it("have snippets that run", () => {
    assert.ok((snippets.get("README.md") ?? []).length > 0);
  });

  it("link to files that exist", () => {
    const broken = pages.flatMap((page) =>
      [...readFileSync(join(ROOT, page), "utf8").matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)]
        .map((match) => join(dirname(page), match[1] ?? ""))
        .filter((target) => globSync(target, { cwd: ROOT }).length === 0)
        .map((target) => `${page} → ${target}`),
    );
    assert.deepEqual(broken, []);
  });

  it("follow the image through every room in docs/tour.md", () => {
    const tour = readFileSync(join(ROOT, "docs", "tour.md"), "utf8");
    assert.deepEqual(
      Object.keys(ROOMS).filter((room) => !tour.includes(`src/${room}/index.ts`)),
      [],
    );
  });
});

function readSnippets(markdown: string): Snippet[] {
  const found: Snippet[] = [];
  const pattern = /^```(sh|ts) run\n([^]*?)^```\n(?:\n```text\n([^]*?)^```$)?/gm;
  for (const match of markdown.matchAll(pattern)) {
    const [, language = "", text = "", output] = match;
    found.push({ language, text, line: markdown.slice(0, match.index).split("\n").length, output });
  }
  return found;
}

function commandOf(language: string, text: string, folder: string): [string, string[]] {
  if (language === "sh") return ["bash", ["-euo", "pipefail", "-c", text]];
  const file = join(folder, "snippet.ts");
  const source = text.replaceAll(/from "dray\/([a-z./-]+)"/g, (_, name: string) => {
    const file = name === "errors" || name.endsWith(".conformance") ? `${name}.ts` : join(name, "index.ts");
    return `from "${join(ROOT, "src", file)}"`;
  });
  writeFileSync(file, source);
  return [process.execPath, [file]];
}

/** Without what may differ between two runs that are both right. */
function settle(text: string): string {
  return text
    .trim()
    .replaceAll(/\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b/g, "…")
    .replaceAll(/localhost:\d+|127\.0\.0\.1:\d+/g, "localhost:5000")
    .replaceAll(/[0-9.]+ ?m?s\b/g, "… s")
    .replaceAll(/ +/g, " ");
}
