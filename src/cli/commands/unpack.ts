import { resolve } from "node:path";

import type { StallGuard, StallGuardOptions } from "../../client/index.ts";
import { digestEncoded, formatPlatform } from "../../oci/index.ts";
import { formatLeftOut, type UnpackEvent, unpackImage } from "../../unpack/index.ts";
import { type Command, defineCommand } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { UsageError } from "../errors.ts";
import { parsePlace } from "../place.ts";
import { givenPlatform, localPlatform, readCount, readSize, readStallTimeout } from "../settings.ts";
import {
  FETCH_OPTIONS,
  PLATFORM_OPTIONS,
  REGISTRY_OPTIONS,
  STALL_OPTIONS,
  STORE_OPTIONS,
} from "../shared-options.ts";
import { ProgressLines } from "../terminal/progress.ts";
import { printable } from "../terminal/width.ts";
import { withSource } from "../with-source.ts";

export const unpack: Command = defineCommand({
  name: "unpack",
  summary: "Make an image a folder of files",
  details: [
    "Layers are fetched, verified and applied in one go. The folder appears when all of them are right; a failure, Ctrl-C or kill leaves nothing in its place. Links never lead out of it.",
    "As root, files get the owners, devices and attributes the image names. Whatever this machine or user can't set is listed on standard error; with --strict it is a failure.",
    "Prints the digest of the image that was unpacked.",
  ],
  options: {
    ...PLATFORM_OPTIONS,
    force: { type: "boolean", short: "f", summary: "Replace DIR, whatever is in it" },
    strict: { type: "boolean", summary: "Fail rather than leave out what can't be set" },
    "no-same-owner": { type: "boolean", summary: "Let all files belong to whoever unpacks" },
    "max-size": {
      type: "string",
      value: "SIZE",
      summary: "Unpack no more than this, such as 20G; 100 GiB by default",
    },
    "max-ratio": {
      type: "string",
      value: "NUMBER",
      summary: "Let a layer over 1 GiB grow to this many times its size; 200 by default",
    },
    jobs: { type: "string", short: "j", value: "NUMBER", summary: "Layers fetched at a time; 3 by default" },
    quiet: { type: "boolean", short: "q", summary: "No progress" },
    ...FETCH_OPTIONS,
    ...STALL_OPTIONS,
    ...STORE_OPTIONS,
    ...REGISTRY_OPTIONS,
  },
  arguments: [
    { name: "IMAGE", summary: "The image" },
    { name: "DIR", summary: "The folder to make; it may exist when it is empty" },
  ],
  examples: [
    { command: "dray unpack busybox rootfs", summary: "What a container of an image would see" },
    {
      command: "dray unpack --platform linux/arm64 store:hello:1 rootfs",
      summary: "Out of the store, for another machine",
    },
    { command: "dray unpack --strict oci:layout:1 /srv/root", summary: "Everything exactly, or nothing" },
  ],
  async run({ values, positionals: [image = "", folder = ""] }, context) {
    if (folder === "") throw new UsageError("Argument DIR is empty", "unpack");
    const limits = {
      bytes: readMaxSize(values["max-size"]),
      ratio: readAmount(values["max-ratio"], "--max-ratio"),
    };
    const jobs = readCount(values.jobs, "--jobs");
    const timeout = readStallTimeout(values);
    // What is on this disk needn't be copied there before its turn.
    const local = parsePlace(image).kind !== "docker";
    const platform = givenPlatform(values) ?? localPlatform();
    const startedAt = context.clock.now();
    await withSource(image, { values, context }, async ({ source, reference, label }) => {
      // What is on this disk is waited for as long as it takes.
      using guard = local
        ? undefined
        : await guardStalls({ action: `unpack "${label}"`, timeout, signal: context.signal });
      const { signal } = guard ?? context;
      const watched = guard?.watch(source) ?? source;
      const root = await watched.resolve(reference, { signal });
      const progress = new UnpackProgress(context, values.quiet === true);
      const unpacked = await unpackImage(root, {
        source: watched,
        platform,
        limits,
        signal,
        folder: resolve(context.cwd, folder),
        replace: values.force,
        strict: values.strict,
        sameOwner: values["no-same-owner"] !== true,
        concurrency: jobs ?? (local ? 1 : 3),
        onEvent: (event) => progress.show(event),
      }).finally(() => progress.close());
      const { manifest, layers, layerBytes, entries, fileBytes, leftOut } = unpacked;
      if (values.json !== true) {
        for (const found of leftOut)
          void context.stderr.write(`Left out: ${printable(formatLeftOut(found))}\n`);
        return await context.stdout.write(`${manifest.digest}\n`);
      }
      const facts = {
        source: label,
        folder: resolve(context.cwd, folder),
        digest: manifest.digest,
        platform: formatPlatform(unpacked.config.platform),
        layers,
        size: layerBytes,
        entries,
        fileBytes,
        leftOut,
        milliseconds: context.clock.now() - startedAt,
      };
      await context.stdout.write(`${JSON.stringify(facts)}\n`);
    });
  },
});

/** A live line for each layer where a person watches. */
class UnpackProgress {
  readonly #lines: ProgressLines | undefined;

  constructor({ stderr: output, clock, env }: CommandContext, quiet: boolean) {
    const lines = quiet ? undefined : new ProgressLines({ output, clock, env });
    this.#lines = lines?.active === true ? lines : undefined;
  }

  show(event: UnpackEvent): void {
    if (this.#lines === undefined) return;
    const { index, descriptor } = event;
    // An image may have the same layer twice.
    const key = String(index);
    if (event.type === "found") {
      this.#lines.start(key, `layer ${digestEncoded(descriptor.digest).slice(0, 12)}`, descriptor.size);
    } else if (event.type === "fetched") this.#lines.update(key, event.bytes);
    else this.#lines.finish(key, "done");
  }

  close(): void {
    this.#lines?.close();
  }
}

/** The client's code isn't loaded for what is on this disk. */
async function guardStalls(options: StallGuardOptions): Promise<StallGuard> {
  const { StallGuard: Guard } = await import("../../client/index.ts");
  return new Guard(options);
}

function readMaxSize(text: string | undefined): number | undefined {
  const bytes = readSize(text, "--max-size");
  if (bytes !== 0) return bytes;
  throw new UsageError(`Option --max-size does not take ${JSON.stringify(text)}: nothing could be unpacked`);
}

/** A whole number from 1 up, of any size. */
function readAmount(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  const amount = Number(text);
  if (/^[0-9]{1,16}$/.test(text) && amount >= 1 && Number.isSafeInteger(amount)) return amount;
  throw new UsageError(
    `Option ${option} does not take ${JSON.stringify(text)}: it is a whole number from 1 up`,
  );
}
