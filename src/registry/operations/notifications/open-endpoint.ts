import { readFile } from "node:fs/promises";

import { Secret } from "../../../internal/secret.ts";
import type { EndpointSettings } from "../../config/config.ts";
import { RegistryError } from "../../errors.ts";
import { matchRepositories } from "../match-repositories.ts";
import type { NotifierOptions } from "./notifier.ts";

/**
 * An endpoint with the secrets that its files hold now.
 *
 * @throws RegistryError `CONFIG_UNREADABLE`
 */
export async function openEndpoint(
  settings: EndpointSettings,
): Promise<NotifierOptions["endpoints"][number]> {
  const { headers, headerFiles, repositories } = settings;
  const given = Object.entries(headers).map(([name, value]) => [name, new Secret(value)] as const);
  const read = await Promise.all(
    Object.entries(headerFiles).map(async ([name, path]) => [name, await readSecret(path, name)] as const),
  );
  return {
    ...settings,
    headers: [...given, ...read],
    matches: matchRepositories(repositories),
  };
}

/**
 * Whether the files that endpoints name can be read, each.
 *
 * @throws RegistryError `CONFIG_UNREADABLE`
 */
export async function checkEndpointFiles(endpoints: readonly EndpointSettings[]): Promise<void> {
  for (const settings of endpoints) await openEndpoint(settings);
}

async function readSecret(path: string, header: string): Promise<Secret> {
  try {
    return new Secret((await readFile(path, "utf8")).trim());
  } catch (cause) {
    const message = `Cannot read header ${JSON.stringify(header)} from ${JSON.stringify(path)}: it is not there or not readable`;
    throw new RegistryError("CONFIG_UNREADABLE", message, { cause });
  }
}
