/** Writes `docs/cli.md`; with `--check` it only says whether the page is current. */
import { readFile, writeFile } from "node:fs/promises";

import { formatCliDocs } from "../src/cli/index.ts";

const page = new URL("../docs/cli.md", import.meta.url);
const text = await formatCliDocs();
if (!process.argv.includes("--check")) {
  await writeFile(page, text);
} else if ((await readFile(page, "utf8").catch(() => "")) !== text) {
  console.error("docs/cli.md is not current: run node scripts/cli-docs.ts");
  process.exitCode = 1;
}
