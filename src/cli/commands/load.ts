import { resolve } from "node:path";

import { type ArchiveEntry, openArchive } from "../../archive/index.ts";
import { familiarString, formatReference, parseDockerRef } from "../../reference/index.ts";
import { openStore } from "../../store/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { UsageError } from "../errors.ts";
import { isComplete } from "../is-complete.ts";
import { dataDir, localPlatform, readCount, wantedPlatform } from "../settings.ts";
import { PLATFORM_OPTIONS, STORE_OPTIONS, TRANSFER_OPTIONS } from "../shared-options.ts";
import { transfer } from "../transfer.ts";

export const load: Command = defineCommand({
  name: "load",
  summary: "Read the images of a tar file into the node's store",
  details: [
    "Reads what docker save, podman save, skopeo and dray save write, compressed or not. Prints the loaded names.",
  ],
  options: {
    input: { type: "string", short: "i", value: "FILE", summary: "Read this file instead of standard input" },
    name: {
      type: "string",
      short: "t",
      value: "NAME",
      summary: "Name for the one image of a tar that has none",
    },
    ...PLATFORM_OPTIONS,
    ...TRANSFER_OPTIONS,
    ...STORE_OPTIONS,
  },
  arguments: [],
  examples: [
    { command: "dray load -i hello.tar", summary: "Load a file" },
    { command: "docker save hello:1 | dray load", summary: "Take an image over from Docker" },
  ],
  async run({ values }, context) {
    const { signal, stdin, stdout } = context;
    if (values.input === undefined && stdin.isTTY) {
      throw new UsageError("Cannot read a tar from a terminal: add --input FILE, or a pipe", "load");
    }
    const wanted = wantedPlatform(values, undefined);
    const concurrency = readCount(values.jobs, "--jobs");
    const input = values.input === undefined ? stdin : resolve(context.cwd, values.input);
    await using archive = await openArchive(input, { signal });
    const entries = await archive.entries();
    const named = entries.map((entry) => ({ entry, name: nameOf(entry, entries.length, values.name) }));
    await using store = await openStore(dataDir(values, context));
    for (const { entry, name } of named) {
      const { descriptor } = entry;
      const whole =
        wanted !== undefined ||
        values["all-platforms"] === true ||
        (await isComplete(archive, descriptor, { signal }));
      await transfer(
        {
          from: archive,
          reference: entry.name ?? descriptor.digest,
          to: store,
          as: name,
          platform: whole ? wanted : localPlatform(),
          concurrency,
          quiet: values.quiet === true,
        },
        context,
      );
      const facts = { name, digest: descriptor.digest };
      await stdout.write(
        `${values.json === true ? JSON.stringify(facts) : familiarString(parseDockerRef(name))}\n`,
      );
    }
  },
});

/** The store's name for an image: its recorded one, or the one that was given. A bare tag says no repository. */
function nameOf(entry: ArchiveEntry, count: number, given: string | undefined): string {
  if (given !== undefined) {
    if (count === 1) return formatReference(parseDockerRef(given));
    throw new UsageError(`Option --name is for a tar with one image; this one has ${count}`, "load");
  }
  const recorded = entry.fullName ?? entry.name;
  if (recorded !== undefined && /[/:]/.test(recorded)) return formatReference(parseDockerRef(recorded));
  const what =
    recorded === undefined ? "an image without a name" : `an image known only as ${JSON.stringify(recorded)}`;
  throw new UsageError(`Cannot load ${what}: add --name NAME`, "load");
}
