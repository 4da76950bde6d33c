import { OciError, parseManifest, readContent } from "../../oci/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { assertDocument, findDocument } from "../find-document.ts";
import { givenPlatform, localPlatform } from "../settings.ts";
import { PLATFORM_OPTIONS, REGISTRY_OPTIONS, STORE_OPTIONS } from "../shared-options.ts";
import { withSource } from "../with-source.ts";

export const config: Command = defineCommand({
  name: "config",
  aliases: ["inspect"],
  summary: "Print the configuration of an image, byte for byte",
  details: ["Of an image for several platforms, this machine's is shown unless --platform chooses another."],
  options: { ...PLATFORM_OPTIONS, ...STORE_OPTIONS, ...REGISTRY_OPTIONS },
  arguments: [{ name: "IMAGE", summary: "The image" }],
  examples: [{ command: "dray config busybox | jq .config.Cmd", summary: "What an image runs" }],
  async run({ values, positionals }, context) {
    const { signal, stdout } = context;
    await withSource(positionals[0], { values, context }, async ({ source, reference }) => {
      const platform = givenPlatform(values) ?? localPlatform();
      const { descriptor, bytes } = await findDocument(source, reference, { platform, signal });
      assertDocument(descriptor);
      const document = parseManifest(bytes, { mediaType: descriptor.mediaType });
      if (document.kind !== "manifest") {
        throw new OciError(
          "MANIFEST_UNSUPPORTED",
          `Cannot read the configuration of "${descriptor.digest}": it is an index`,
        );
      }
      const content = await readContent(source, document.config, { signal });
      if (values.json !== true) return await stdout.write(content);
      const { digest, mediaType, size } = document.config;
      const parsed: unknown = JSON.parse(Buffer.from(content).toString("utf8"));
      await stdout.write(`${JSON.stringify({ digest, mediaType, size, document: parsed })}\n`);
    });
  },
});
