/**
 * Writes `docs/causes/` and `docs/explain.schema.json`; with `--check` it only says whether they are current.
 */
import { globSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { parse } from "yaml";

import { type CauseExample, explanationSchema, formatCausePages } from "../src/explain/index.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Every file that is written, by its path from the root. */
export async function explainDocs(): Promise<ReadonlyMap<string, string>> {
  const names = globSync("*/expected.yaml", { cwd: join(root, "examples/broken") }).map(
    (path) => path.split("/")[0] ?? "",
  );
  const examples = new Map(
    await Promise.all(
      names.map(async (name): Promise<[string, CauseExample]> => [name, await readExample(name)]),
    ),
  );
  const pages = formatCausePages((name) => {
    const example = examples.get(name);
    if (example === undefined) throw new Error(`There is no example ${name}`);
    return example;
  });
  return new Map([
    ...pages.map(({ path, text }): [string, string] => [join("docs/causes", path), text]),
    ["docs/explain.schema.json", `${JSON.stringify(explanationSchema, null, 2)}\n`],
  ]);
}

/** How JSON is laid out is the formatter's business. */
export function isCurrent(path: string, found: string, wanted: string): boolean {
  if (!path.endsWith(".json") || found === "") return found === wanted;
  return JSON.stringify(JSON.parse(found)) === JSON.stringify(JSON.parse(wanted));
}

async function readExample(name: string): Promise<CauseExample> {
  const folder = join(root, "examples/broken", name);
  const { title, command } = parse(await readFile(join(folder, "expected.yaml"), "utf8")) as CauseExample;
  const names = globSync("manifests/*.yaml", { cwd: folder }).toSorted();
  const files = await Promise.all(
    names.map(async (file) => ({ name: file, text: await readFile(join(folder, file), "utf8") })),
  );
  return { title, command, files };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const docs = await explainDocs();
  if (process.argv.includes("--check")) {
    for (const [path, text] of docs) {
      if (isCurrent(path, await readFile(join(root, path), "utf8").catch(() => ""), text)) continue;
      console.error(`${path} is not current: run node scripts/explain-docs.ts`);
      process.exitCode = 1;
    }
  } else {
    const folder = join(root, "docs/causes");
    await mkdir(folder, { recursive: true });
    for (const name of await readdir(folder)) await rm(join(folder, name));
    for (const [path, text] of docs) await writeFile(join(root, path), text);
  }
}
