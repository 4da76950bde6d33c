import { checkRegistryDirectory, type Finding, mirroredBy } from "../../registry/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { FOLDER_OPTIONS, resolveRegistry } from "../registry/options.ts";
import { formatBytes } from "../terminal/units.ts";
import { printable } from "../terminal/width.ts";

export const registryCheck: Command = defineCommand({
  name: "registry check",
  summary: "Verify what a registry keeps, byte for byte and link for link, and repair what can be",
  details: [
    "Reads all content again and compares it with its digests, and every repository with what its manifests name. The registry may run meanwhile. Exit code 1 says that something is wrong and wasn't repaired: it has to be pushed again.",
    "Where the configuration says sparse, and in repositories of a mirror, manifests may name what isn't there; so name it with --config.",
  ],
  options: {
    ...FOLDER_OPTIONS,
    repair: { type: "boolean", summary: "Mend what can be mended" },
    quick: { type: "boolean", summary: "Compare sizes and links, and read no content" },
  },
  arguments: [],
  examples: [{ command: "dray registry check --repair", summary: "After a disk failed, say" }],
  async run({ values }, context) {
    const { folder, settings } = await resolveRegistry(values, context);
    const isMirrored = settings.mirror && mirroredBy(settings.mirror.config);
    const json = values.json === true;
    const result = await checkRegistryDirectory(folder, {
      repair: values.repair === true,
      verify: values.quick !== true,
      sparse: (repository) => settings.storage.sparse || isMirrored?.(repository) === true,
      signal: context.signal,
      onFinding: (finding) => {
        void context.stdout.write(`${json ? JSON.stringify(finding) : printable(describe(finding))}\n`);
      },
    });
    const { content, repositories, manifests, found, repaired, left } = result;
    if (json) {
      await context.stdout.write(`${JSON.stringify({ ...result, found: Object.fromEntries(found) })}\n`);
    } else {
      const wrong = [...found.values()].reduce((sum, count) => sum + count, 0);
      await context.stdout.write(
        `Checked ${content.count} contents, ${formatBytes(content.bytes)}, and ${manifests} manifests in ${repositories} repositories: ${wrong} faults, ${repaired} repaired, ${left} left\n`,
      );
    }
    return left === 0 ? 0 : 1;
  },
});

function describe({ code, repository, digest, detail, repaired }: Finding): string {
  const where = [repository, digest].filter((part) => part !== undefined).join("@");
  return [code, where, detail, repaired ? "repaired" : undefined]
    .filter((part) => part !== undefined)
    .join("  ");
}
