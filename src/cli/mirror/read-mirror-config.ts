import { readFile } from "node:fs/promises";

import { yaml } from "../../internal/yaml.ts";
import { parseMirrorConfig, parseRegistryConfig, RegistryError } from "../../registry/index.ts";
import type { ListenSettings, MirrorConfig } from "../../registry/index.ts";

export interface FoundMirror {
  readonly config: MirrorConfig;
  /** Where the registry listens, if the file says so. */
  readonly listen: ListenSettings | undefined;
}

/**
 * The configuration of a mirror: a file of its own, or the section `mirror` in a registry's.
 *
 * @throws RegistryError `CONFIG_UNREADABLE`, `CONFIG_INVALID`
 */
export async function readMirrorConfig(path: string): Promise<FoundMirror> {
  const text = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === "ENOENT" ? "there is no such file" : "it cannot be read";
    const message = `Cannot read the configuration ${JSON.stringify(path)}: ${why}`;
    throw new RegistryError("CONFIG_UNREADABLE", message, { cause });
  });
  if (isMirrorAlone(text)) return { config: parseMirrorConfig(text, path), listen: undefined };
  const { mirror, listen } = await parseRegistryConfig(text, path);
  if (mirror === undefined) {
    const how = "it has no mirror; add a section mirror with its upstreams";
    throw new RegistryError("CONFIG_INVALID", `Cannot use the configuration ${JSON.stringify(path)}: ${how}`);
  }
  return { config: mirror.config, listen };
}

function isMirrorAlone(text: string): boolean {
  const document = yaml().parseDocument(text, { logLevel: "silent" });
  return yaml().isMap(document.contents) && document.has("upstreams");
}
