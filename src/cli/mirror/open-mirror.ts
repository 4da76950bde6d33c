import { join } from "node:path";

import { makeFolder } from "../../internal/make-folder.ts";
import { MIRROR_FILE, openMirror, type Mirror, type MirrorConfig } from "../../registry/index.ts";
import type { MirrorEventListener } from "../../registry/index.ts";
import { checkUpstreamFiles, upstreamOpener, type UpstreamOpenerOptions } from "./open-upstream.ts";

export interface ConfiguredMirrorOptions extends UpstreamOpenerOptions {
  /** The registry's own folder. */
  readonly dir: string;
  readonly onEvent?: MirrorEventListener | undefined;
  readonly onFailure?: ((error: unknown) => void) | undefined;
}

/**
 * A mirror over real networks, for `openRegistryDirectory(dir, { mirror })`, which closes it.
 *
 * @throws RegistryError `CONFIG_INVALID`; ClientError `HOSTS_INVALID` for certificates that can't be used
 */
export async function openConfiguredMirror(
  config: MirrorConfig,
  options: ConfiguredMirrorOptions,
): Promise<Mirror> {
  const { dir, clock, onEvent, onFailure } = options;
  makeFolder(dir, { mode: 0o700 });
  const path = join(dir, MIRROR_FILE);
  return await openMirror(config, { open: upstreamOpener(options), path, clock, onEvent, onFailure });
}

/**
 * Whether such a mirror can be opened, with all the files that its configuration names; nothing is kept.
 *
 * @throws RegistryError `CONFIG_INVALID`, `CONFIG_UNREADABLE`; ClientError `HOSTS_INVALID`
 */
export async function checkConfiguredMirror(config: MirrorConfig, folder: string): Promise<void> {
  const open = upstreamOpener({ folder });
  const mirror = await openMirror(config, {
    open: async (settings) => {
      await checkUpstreamFiles(settings, folder);
      return await open(settings);
    },
  });
  await mirror[Symbol.asyncDispose]();
}
