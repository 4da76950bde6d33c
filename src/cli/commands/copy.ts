import { type Command, defineCommand } from "../command.ts";
import { copyPlaces } from "../copy-places.ts";
import { parsePlace } from "../place.ts";
import {
  FETCH_OPTIONS,
  PLATFORM_OPTIONS,
  REGISTRY_OPTIONS,
  STORE_OPTIONS,
  TRANSFER_OPTIONS,
} from "../shared-options.ts";

export const copy: Command = defineCommand({
  name: "copy",
  aliases: ["cp"],
  summary: "Copy an image from any place to any other",
  details: [
    "Every platform comes along, unless --platform chooses one. Bytes flow straight from one side to the other; from registry to registry nothing is kept here. Prints the digest at the target.",
  ],
  options: {
    ...PLATFORM_OPTIONS,
    ...TRANSFER_OPTIONS,
    ...FETCH_OPTIONS,
    ...STORE_OPTIONS,
    ...REGISTRY_OPTIONS,
  },
  arguments: [
    { name: "SOURCE", summary: "Where the image is" },
    { name: "TARGET", summary: "Where it should be" },
  ],
  examples: [
    { command: "dray copy busybox localhost:5000/busybox", summary: "From registry to registry" },
    { command: "dray copy busybox:1.36 oci:layout:1.36", summary: "Into an OCI layout folder" },
    {
      command: "dray copy docker-archive:hello.tar store:hello:1",
      summary: "From a docker save file into the store",
    },
  ],
  async run({ values, positionals: [source = "", target = ""] }, context) {
    await copyPlaces(parsePlace(source), parsePlace(target), { values, context });
  },
});
