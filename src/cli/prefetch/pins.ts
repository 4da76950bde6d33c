/** Where pins of images are kept: what keeps them from being collected is the runtime's own business. */
import { existsSync } from "node:fs";
import { join } from "node:path";

import { ContainerdPins, type EndpointImages, type EndpointVersion } from "../../cri/index.ts";
import { PinFolder, pinName } from "../../images/index.ts";
import type { CommandContext } from "../context.ts";
import { CliError } from "../errors.ts";
import { dataDir, readSocket } from "../settings.ts";
import type { PrefetchValues } from "./options.ts";

export interface Pins {
  /** For people. */
  readonly where: string;
  list(): Promise<readonly ShownPin[]>;
  /** Whether the pin changed; `undefined` where there is no such image to pin. */
  set(image: string, pinned: boolean): Promise<boolean | undefined>;
}

export interface ShownPin {
  readonly image: string;
  readonly pinnedAt: string | null;
}

/** Pins of dray's own service, whose folder is known. */
export function folderPins(folder: string, { clock }: CommandContext): Pins {
  const pins = new PinFolder(folder);
  return {
    where: folder,
    list: async () =>
      (await pins.list()).map(({ image, pinnedAt }) => ({
        image,
        pinnedAt: pinnedAt === undefined ? null : new Date(pinnedAt).toISOString(),
      })),
    set: (image, pinned) => (pinned ? pins.add(image, clock.now()) : pins.remove(image)),
  };
}

/** Pins by containerd's own socket. */
export function containerdPins(address: string, context: CommandContext, stack: DisposableStack): Pins {
  const { signal, cwd } = context;
  const path = readSocket(address, "--containerd", cwd) ?? address;
  const pins = stack.use(new ContainerdPins(path));
  return {
    where: path,
    list: async () => (await pins.list({ signal })).map((image) => ({ image, pinnedAt: null })),
    set: (image, pinned) => pins.set(pinName(image), pinned, { signal }),
  };
}

/**
 * The pins behind an endpoint.
 *
 * @throws CliError `PIN_UNSUPPORTED` where there is no way to them
 */
export async function pinsOf(
  { images, version }: { readonly images: EndpointImages; readonly version: EndpointVersion },
  { values, stack }: { readonly values: PrefetchValues; readonly stack: DisposableStack },
  context: CommandContext,
): Promise<Pins> {
  if (values.containerd !== undefined) return containerdPins(values.containerd, context, stack);
  if (version.name === "dray") {
    const told = readDataDir((await images.info({ signal: context.signal }))["config"] ?? "");
    // Whoever serves on a socket has no say in where files are made: only a store is one.
    const folder = told !== undefined && existsSync(join(told, "dray.db")) ? told : dataDir(values, context);
    return folderPins(folder, context);
  }
  throw new CliError("PIN_UNSUPPORTED", `Cannot pin images of ${version.name}: ${adviceFor(version.name)}`);
}

function adviceFor(runtime: string): string {
  if (runtime === "containerd") {
    return "the CRI has no call for it; add --containerd /run/containerd/containerd.sock to set containerd's own label";
  }
  if (runtime === "cri-o") return "the CRI has no call for it; name them in pinned_images of crio.conf";
  return "the CRI has no call for it";
}

function readDataDir(config: string): string | undefined {
  try {
    const { dataDir: folder } = JSON.parse(config) as { readonly dataDir?: unknown };
    return typeof folder === "string" && folder.startsWith("/") ? folder : undefined;
  } catch {
    return undefined;
  }
}
