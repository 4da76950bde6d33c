import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { createDockerArchive, createOciArchive } from "../../archive/index.ts";
import { formatReference } from "../../reference/index.ts";
import { openStore } from "../../store/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { UsageError } from "../errors.ts";
import { isComplete } from "../is-complete.ts";
import { parsePlace } from "../place.ts";
import { dataDir, localPlatform, readCount, wantedPlatform } from "../settings.ts";
import { PLATFORM_OPTIONS, STORE_OPTIONS, TRANSFER_OPTIONS } from "../shared-options.ts";
import { transfer } from "../transfer.ts";

export const save: Command = defineCommand({
  name: "save",
  summary: "Write images of the node's store into one tar file",
  details: [
    "The form oci keeps layers as they are, so digests stay; the form docker is what every docker load reads. Without --output the tar goes to standard output.",
  ],
  options: {
    output: {
      type: "string",
      short: "o",
      value: "FILE",
      summary: "Write this file; it appears when it is complete",
    },
    format: { type: "string", choices: ["oci", "docker"], summary: "The form of the tar; oci by default" },
    ...PLATFORM_OPTIONS,
    ...TRANSFER_OPTIONS,
    ...STORE_OPTIONS,
  },
  arguments: [{ name: "IMAGE", summary: "An image in the store", many: true }],
  examples: [
    { command: "dray save -o hello.tar hello:1", summary: "Write an OCI archive" },
    { command: "dray save --format docker hello:1 | docker load", summary: "Hand an image to Docker" },
  ],
  async run({ values, positionals }, context) {
    const { stdout, signal } = context;
    if (values.output === undefined && stdout.isTTY) {
      throw new UsageError("Cannot write a tar to a terminal: add --output FILE, or a pipe", "save");
    }
    const docker = values.format === "docker";
    const references = positionals.map((text) => {
      const place = parsePlace(text);
      if (place.kind === "docker" || place.kind === "store") return place.reference;
      throw new UsageError(
        `Cannot save from ${place.kind}: dray copy reads from every kind of place`,
        "save",
      );
    });
    const wanted = wantedPlatform(values, docker ? localPlatform() : undefined);
    const concurrency = readCount(values.jobs, "--jobs");
    const folder = values.output === undefined ? await mkdtemp(join(tmpdir(), "dray-save-")) : undefined;
    try {
      const path =
        folder === undefined ? resolve(context.cwd, values.output ?? "") : join(folder, "images.tar");
      await using store = await openStore(dataDir(values, context));
      await using draft = await (docker ? createDockerArchive : createOciArchive)(path);
      for (const reference of references) {
        const name = formatReference(reference);
        const root = await store.resolve(name, { signal });
        const whole =
          wanted !== undefined ||
          values["all-platforms"] === true ||
          (await isComplete(store, root, { signal }));
        await transfer(
          {
            from: store,
            reference: name,
            to: draft,
            as: reference.tag === undefined ? "" : name,
            platform: whole ? wanted : localPlatform(),
            index: "drop",
            concurrency,
            quiet: values.quiet === true,
          },
          context,
        );
      }
      await draft.commit({ signal });
      if (folder !== undefined) {
        await using file = await open(path);
        // Before writing, since a reader that goes away ends the process. Windows removes no open file.
        if (process.platform !== "win32") await rm(folder, { recursive: true, force: true });
        for await (const chunk of file.createReadStream()) await stdout.write(chunk as Buffer);
      } else if (values.json === true)
        await stdout.write(`${JSON.stringify({ file: path, images: references.map(formatReference) })}\n`);
    } finally {
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    }
  },
});
