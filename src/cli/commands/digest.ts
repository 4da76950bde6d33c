import { type Command, defineCommand } from "../command.ts";
import { findDocument } from "../find-document.ts";
import { givenPlatform } from "../settings.ts";
import { PLATFORM_OPTIONS, REGISTRY_OPTIONS, STORE_OPTIONS } from "../shared-options.ts";
import { withSource } from "../with-source.ts";

export const digest: Command = defineCommand({
  name: "digest",
  summary: "Print the digest that an image name stands for",
  options: { ...PLATFORM_OPTIONS, ...STORE_OPTIONS, ...REGISTRY_OPTIONS },
  arguments: [{ name: "IMAGE", summary: "The image" }],
  examples: [
    { command: "dray digest busybox:1.36", summary: "What a tag points at now" },
    { command: "dray digest --platform linux/arm64 busybox", summary: "The image inside the index" },
  ],
  async run({ values, positionals }, context) {
    const { signal, stdout } = context;
    const platform = givenPlatform(values);
    await withSource(positionals[0], { values, context }, async ({ source, reference, label }) => {
      const descriptor =
        platform === undefined
          ? await source.resolve(reference, { signal })
          : (await findDocument(source, reference, { platform, signal })).descriptor;
      const { digest: text, mediaType, size } = descriptor;
      await stdout.write(
        `${values.json === true ? JSON.stringify({ name: label, digest: text, mediaType, size }) : text}\n`,
      );
    });
  },
});
