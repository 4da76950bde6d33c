/** The pages of `docs/causes/`, from the same table as the codes. */
import { CAUSE_CODES, CAUSES, type CauseCode } from "./codes.ts";

export interface CausePage {
  /** Below `docs/causes/`. */
  readonly path: string;
  readonly text: string;
}

/** What a page shows of an example, read by whoever can read files. */
export interface CauseExample {
  readonly title: string;
  /** The command, run in the example's folder. */
  readonly command: string;
  readonly files: readonly { readonly name: string; readonly text: string }[];
}

export function formatCausePages(exampleOf: (name: string) => CauseExample): readonly CausePage[] {
  return [
    { path: "README.md", text: formatIndex() },
    ...CAUSE_CODES.map((code) => ({
      path: `${code}.md`,
      text: formatPage(code, exampleOf(CAUSES[code].example)),
    })),
  ];
}

function formatPage(code: CauseCode, example: CauseExample): string {
  const { title, exit, symptoms, story, see, fix, example: folder } = CAUSES[code];
  const seen =
    symptoms.length === 0 ? "Nothing is printed of it." : `\`\`\`text\n${symptoms.join("\n")}\n\`\`\``;
  const files = example.files.map(({ name, text }) => `\`${name}\`\n\n\`\`\`yaml\n${text.trimEnd()}\n\`\`\``);
  return [
    `# ${code}`,
    `${title}.`,
    "## What Kubernetes says",
    seen,
    "## What is going on",
    story,
    "## How to see it",
    see,
    "## How to mend it",
    fix,
    "## An example",
    `${example.title}: [examples/broken/${folder}](../../examples/broken/${folder}/expected.yaml).`,
    ...files,
    `\`${example.command}\` finds it there${exit === 0 ? ", and ends with 0: by itself it keeps no image from coming" : ` and ends with ${exit}`}. [All causes](README.md)`,
  ]
    .join("\n\n")
    .concat("\n");
}

function formatIndex(): string {
  const rows = CAUSE_CODES.map(
    (code) => `| [${code}](${code}.md) | ${CAUSES[code].title} | ${CAUSES[code].exit} |`,
  );
  return [
    "# Causes",
    "Why an image doesn't come, or not as meant: what `dray explain` finds, each with a page of its own. The list is closed, and a code's meaning stays as it is. The number is what the command ends with where that cause keeps an image from coming.",
    `| Code | What is the matter | Exit |\n| --- | --- | --- |\n${rows.join("\n")}`,
    "This folder is written by `node scripts/explain-docs.ts`.",
  ]
    .join("\n\n")
    .concat("\n");
}
