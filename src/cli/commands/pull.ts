import { StallGuard } from "../../client/index.ts";
import { formatPlatform, type Platform } from "../../oci/index.ts";
import { formatReference } from "../../reference/index.ts";
import { openStore } from "../../store/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { connect } from "../connect.ts";
import { UsageError } from "../errors.ts";
import { foreignPlatform } from "../foreign-platform.ts";
import { type Place, parsePlace } from "../place.ts";
import { dataDir, localPlatform, readCount, readStallTimeout, wantedPlatform } from "../settings.ts";
import {
  FETCH_OPTIONS,
  PLATFORM_OPTIONS,
  REGISTRY_OPTIONS,
  STALL_OPTIONS,
  STORE_OPTIONS,
  TRANSFER_OPTIONS,
} from "../shared-options.ts";
import { transfer } from "../transfer.ts";

export const pull: Command = defineCommand({
  name: "pull",
  summary: "Bring images from a registry into the node's store",
  details: [
    "Every byte is verified before anybody can see it. A pull that was cut off goes on where it stopped, also after kill -9. Of an image for several platforms, this machine's is brought.",
    "Prints each image's full name with its digest.",
  ],
  options: {
    ...PLATFORM_OPTIONS,
    ...TRANSFER_OPTIONS,
    ...FETCH_OPTIONS,
    ...STALL_OPTIONS,
    ...STORE_OPTIONS,
    ...REGISTRY_OPTIONS,
  },
  arguments: [{ name: "IMAGE", summary: "The image's name in a registry", many: true }],
  examples: [
    { command: "dray pull busybox", summary: "Pull docker.io/library/busybox:latest" },
    { command: "dray pull --platform linux/arm64 ghcr.io/a/b:1", summary: "Pull for another machine" },
    { command: "dray pull localhost:5000/hello:1 --json", summary: "Pull from a registry on this machine" },
  ],
  async run({ values, positionals }, context) {
    const places = positionals.map(parsePlace).map(requireRegistry);
    const platform = wantedPlatform(values, localPlatform());
    const concurrency = readCount(values.jobs, "--jobs");
    const stall = readStallTimeout(values);
    await using access = await connect(
      values,
      places.map(({ reference }) => reference.domain),
      context,
    );
    await using store = await openStore(dataDir(values, context));
    for (const { reference } of places) {
      const name = formatReference(reference);
      using guard = new StallGuard({ action: `pull "${name}"`, timeout: stall, signal: context.signal });
      const result = await transfer(
        {
          from: guard.watch(access.repository(reference)),
          reference: reference.digest ?? reference.tag ?? "latest",
          to: store,
          as: name,
          platform,
          // Without them the image here couldn't be run, or unpacked.
          foreignLayers: true,
          concurrency,
          quiet: values.quiet === true,
        },
        { ...context, signal: guard.signal },
      );
      const { descriptor, manifest, size, writtenBytes, milliseconds } = result;
      const foreign =
        platform && (await foreignPlatform(store, descriptor, { platform, signal: context.signal }));
      if (foreign !== undefined) {
        void context.stderr.write(
          `Warning: ${name} is for ${foreign} alone, not for ${formatPlatform(platform as Platform)}\n`,
        );
      }
      const pinned = reference.digest === undefined ? `${name}@${descriptor.digest}` : name;
      const facts = {
        name,
        digest: descriptor.digest,
        manifest: manifest?.digest ?? null,
        size,
        transferred: writtenBytes,
        milliseconds,
      };
      await context.stdout.write(`${values.json === true ? JSON.stringify(facts) : pinned}\n`);
    }
  },
});

function requireRegistry(place: Place): Extract<Place, { kind: "docker" }> {
  if (place.kind === "docker") return place;
  throw new UsageError(`Cannot pull from ${place.kind}: dray copy reads from every kind of place`, "pull");
}
