import { familiarString, formatReference } from "../../reference/index.ts";
import { openStore } from "../../store/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { UsageError } from "../errors.ts";
import { type Place, parsePlace } from "../place.ts";
import { dataDir } from "../settings.ts";
import { STORE_OPTIONS } from "../shared-options.ts";

export const tag: Command = defineCommand({
  name: "tag",
  summary: "Give an image in the node's store another name",
  options: { ...STORE_OPTIONS },
  arguments: [
    { name: "IMAGE", summary: "An image in the store" },
    { name: "NAME", summary: "The name to add; what had it loses it" },
  ],
  examples: [
    {
      command: "dray tag busybox localhost:5000/busybox:mine",
      summary: "Prepare a push to another registry",
    },
  ],
  async run({ values, positionals: [image = "", name = ""] }, context) {
    const [from, to] = [requireStore(parsePlace(image)), requireStore(parsePlace(name))];
    if (to.digest !== undefined)
      throw new UsageError(
        `Cannot name an image ${JSON.stringify(name)}: a name to give has no digest`,
        "tag",
      );
    await using store = await openStore(dataDir(values, context));
    const { signal } = context;
    const descriptor = await store.resolve(formatReference(from), { signal });
    await store.tag(descriptor, formatReference(to), { signal });
    const facts = { name: formatReference(to), digest: descriptor.digest };
    await context.stdout.write(`${values.json === true ? JSON.stringify(facts) : familiarString(to)}\n`);
  },
});

function requireStore(place: Place): Extract<Place, { kind: "store" }>["reference"] {
  if (place.kind === "store" || place.kind === "docker") return place.reference;
  throw new UsageError(`Cannot name images in ${place.kind}: dray tag works in the node's store`, "tag");
}
