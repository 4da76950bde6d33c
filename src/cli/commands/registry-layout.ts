import { join, resolve } from "node:path";

import { makeFolder } from "../../internal/make-folder.ts";
import {
  exportDockerLayout,
  importDockerLayout,
  type LayoutResult,
  matchRepositories,
  openSqliteMetadata,
  type SqliteMetadata,
} from "../../registry/index.ts";
import { type BlobStore, FileBlobStore } from "../../store/index.ts";
import { type Command, defineCommand } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { FOLDER_OPTIONS, type FolderValues, resolveRegistry } from "../registry/options.ts";
import { formatBytes } from "../terminal/units.ts";
import { printable } from "../terminal/width.ts";

const REPOSITORY_OPTION = {
  repository: {
    type: "string",
    value: "PATTERN",
    multiple: true,
    summary: "Only repositories of these names, as in 'team/**'; all by default",
  },
} as const;

export const registryExport: Command = defineCommand({
  name: "registry export",
  summary: "Write a registry's content into a folder that docker-registry serves",
  details: [
    "Blobs, manifests and tags, for docker-registry 2.x and distribution 3.x with the filesystem driver. An export into a folder that has some of it already adds the rest. The registry may run meanwhile. Exit code 1 says that something couldn't be taken along.",
  ],
  options: { ...FOLDER_OPTIONS, ...REPOSITORY_OPTION },
  arguments: [{ name: "DIR", summary: "docker-registry's rootdirectory" }],
  examples: [
    { command: "dray registry export /var/lib/docker-registry", summary: "Leave, with everything" },
    { command: "dray registry export --repository 'team/**' backup", summary: "A part of it" },
  ],
  async run({ values, positionals }, context) {
    const [dir = ""] = positionals;
    await using opened = await open(values, context);
    const result = await exportDockerLayout(opened, resolve(context.cwd, dir), {
      matches: matchRepositories(values.repository),
      signal: context.signal,
    });
    return await report("Exported", result, { json: values.json === true, context });
  },
});

export const registryImport: Command = defineCommand({
  name: "registry import",
  summary: "Take the content of a docker-registry's folder into a registry",
  details: [
    "Reads what docker-registry 2.x and distribution 3.x keep with the filesystem driver, and verifies every byte. What isn't what its digest says, and manifests whose parts are missing, are left out and named on stderr; exit code 1 says that there were some. What is here already stays, and the registry may run meanwhile.",
  ],
  options: {
    ...FOLDER_OPTIONS,
    ...REPOSITORY_OPTION,
    sparse: {
      type: "boolean",
      summary: "Take manifests whose parts are missing, too; by default what the configuration says",
    },
  },
  arguments: [{ name: "DIR", summary: "docker-registry's rootdirectory" }],
  examples: [{ command: "dray registry import /var/lib/docker-registry", summary: "Move in" }],
  async run({ values, positionals }, context) {
    const [dir = ""] = positionals;
    await using opened = await open(values, context);
    const result = await importDockerLayout(opened, resolve(context.cwd, dir), {
      matches: matchRepositories(values.repository),
      sparse: values.sparse ?? opened.sparse,
      signal: context.signal,
    });
    return await report("Imported", result, { json: values.json === true, context });
  },
});

interface Opened extends AsyncDisposable {
  readonly blobs: BlobStore;
  readonly metadata: SqliteMetadata;
  /** Whether it takes manifests whose parts are missing. */
  readonly sparse: boolean;
}

async function open(values: FolderValues, context: CommandContext): Promise<Opened> {
  const { folder, settings } = await resolveRegistry(values, context);
  makeFolder(folder, { mode: 0o700 });
  await using stack = new AsyncDisposableStack();
  const blobs = stack.use(await FileBlobStore.open(folder));
  const metadata = stack.use(openSqliteMetadata(join(folder, "registry.db")));
  const owned = stack.move();
  const { sparse } = settings.storage;
  return { blobs, metadata, sparse, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function report(
  verb: string,
  result: LayoutResult,
  { json, context }: { readonly json: boolean; readonly context: CommandContext },
): Promise<number> {
  const { repositories, manifests, tags, blobs, bytes, faults } = result;
  if (json) await context.stdout.write(`${JSON.stringify(result)}\n`);
  else {
    for (const { repository, what, why } of faults) {
      void context.stderr.write(
        printable(`dray: Left out of ${JSON.stringify(repository)}: ${what}: ${why}`) + "\n",
      );
    }
    await context.stdout.write(
      `${verb} ${repositories} repositories: ${manifests} manifests, ${tags} tags, ${blobs} contents, ${formatBytes(bytes)}\n`,
    );
  }
  return faults.length === 0 ? 0 : 1;
}
