import { type Command, defineCommand } from "../command.ts";
import { assertDocument, findDocument } from "../find-document.ts";
import { givenPlatform } from "../settings.ts";
import { PLATFORM_OPTIONS, REGISTRY_OPTIONS, STORE_OPTIONS } from "../shared-options.ts";
import { withSource } from "../with-source.ts";

export const manifest: Command = defineCommand({
  name: "manifest",
  summary: "Print the manifest or index of an image, byte for byte",
  options: { ...PLATFORM_OPTIONS, ...STORE_OPTIONS, ...REGISTRY_OPTIONS },
  arguments: [{ name: "IMAGE", summary: "The image" }],
  examples: [
    { command: "dray manifest busybox | jq .", summary: "Look at an index" },
    { command: "dray manifest --platform linux/arm64 busybox", summary: "Look at one image of it" },
  ],
  async run({ values, positionals }, context) {
    const { signal, stdout } = context;
    await withSource(positionals[0], { values, context }, async ({ source, reference }) => {
      const { descriptor, bytes } = await findDocument(source, reference, {
        platform: givenPlatform(values),
        signal,
      });
      assertDocument(descriptor);
      if (values.json !== true) return await stdout.write(bytes);
      const document: unknown = JSON.parse(Buffer.from(bytes).toString("utf8"));
      const { digest, mediaType, size } = descriptor;
      await stdout.write(`${JSON.stringify({ digest, mediaType, size, document })}\n`);
    });
  },
});
