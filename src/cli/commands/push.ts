import { type Command, defineCommand } from "../command.ts";
import { copyPlaces } from "../copy-places.ts";
import { UsageError } from "../errors.ts";
import { parsePlace } from "../place.ts";
import { PLATFORM_OPTIONS, REGISTRY_OPTIONS, STORE_OPTIONS, TRANSFER_OPTIONS } from "../shared-options.ts";

export const push: Command = defineCommand({
  name: "push",
  summary: "Send an image from the node's store to a registry",
  details: [
    "Content the registry has already is not sent again. An image whose other platforms were never pulled is sent as the one platform that is here.",
  ],
  options: { ...PLATFORM_OPTIONS, ...TRANSFER_OPTIONS, ...STORE_OPTIONS, ...REGISTRY_OPTIONS },
  arguments: [
    { name: "IMAGE", summary: "The image's name in the store, and in the registry" },
    { name: "TARGET", summary: "Another name in the registry", optional: true },
  ],
  examples: [
    { command: "dray push localhost:5000/hello:1", summary: "Push under the image's own name" },
    { command: "dray push hello:1 ghcr.io/me/hello:1", summary: "Push under another name" },
  ],
  async run({ values, positionals: [image = "", target = image] }, context) {
    const from = parsePlace(image);
    const to = parsePlace(target);
    if (from.kind !== "docker" && from.kind !== "store") {
      throw new UsageError(`Cannot push from ${from.kind}: dray copy reads from every kind of place`, "push");
    }
    // `dray push store:x` without a target means the registry that the name speaks of.
    const registry = to.kind === "store" ? { ...to, kind: "docker" as const } : to;
    if (registry.kind !== "docker")
      throw new UsageError(`Cannot push to ${to.kind}: dray copy writes to every kind of place`, "push");
    await copyPlaces({ ...from, kind: "store" }, registry, { values, context });
  },
});
