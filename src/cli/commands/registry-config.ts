import { resolve } from "node:path";

import { checkEndpointFiles, openAccess, readRegistryConfig } from "../../registry/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { checkConfiguredMirror } from "../mirror/open-mirror.ts";
import { TlsKeeper } from "../registry/tls-keeper.ts";

export const registryCheckConfig: Command = defineCommand({
  name: "registry check-config",
  summary: "Say what is wrong with a registry's configuration, and with the files it names",
  details: [
    "Every fault comes with its file, line and column, and how to mend it; exit code 8 says that there are some. Nothing is opened for serving, and nothing is changed.",
  ],
  options: {},
  arguments: [{ name: "FILE", summary: "The configuration (YAML or JSON)" }],
  examples: [{ command: "dray registry check-config registry.yaml", summary: "Check before a restart" }],
  async run({ values, positionals }, { stdout, cwd }) {
    const [file = ""] = positionals;
    const path = resolve(cwd, file);
    const settings = await readRegistryConfig(path);
    const { access, listen } = settings;
    if (access !== undefined) {
      // Reads all files that it names; an issuer that is away is no fault of the file's.
      const control = await openAccess(access.config, { folder: access.folder });
      await control[Symbol.asyncDispose]();
    }
    await checkEndpointFiles(settings.notifications);
    if (settings.mirror !== undefined) {
      await checkConfiguredMirror(settings.mirror.config, settings.mirror.folder);
    }
    if (listen.tls !== undefined) await new TlsKeeper(listen.tls).look();
    await stdout.write(
      values.json === true ? `${JSON.stringify({ file: path, valid: true })}\n` : `${path} is good\n`,
    );
  },
});
