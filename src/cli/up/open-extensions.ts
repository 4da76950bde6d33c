import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

import { CredentialsError, type CredentialSource, loadExtension } from "../../credentials/index.ts";
import { yaml } from "../../internal/yaml.ts";
import { describeError } from "../report-error.ts";

/**
 * Loads the modules that find credentials, in their order, each with its settings. A module is a path as the shell
 * means it, or the name of an installed package.
 *
 * @throws CredentialsError `EXTENSION_INVALID`
 */
export async function openExtensions(
  modules: readonly string[],
  options: { readonly cwd: string; readonly settings: string | undefined },
): Promise<readonly CredentialSource[]> {
  const { cwd } = options;
  const settings =
    options.settings === undefined ? new Map() : await readSettings(resolve(cwd, options.settings));
  for (const name of settings.keys()) {
    if (modules.includes(name)) continue;
    throw invalid(options.settings, `it has settings for ${JSON.stringify(name)}, which isn't loaded`);
  }
  const sources: CredentialSource[] = [];
  for (const specifier of modules) {
    const source = await loadExtension(specifier, {
      settings: settings.get(specifier),
      load: async (name): Promise<unknown> =>
        await import(/^[./]/.test(name) ? pathToFileURL(resolve(cwd, name)).href : name),
    });
    sources.push(source);
  }
  return sources;
}

/** Nothing of the file is quoted but the names of modules: settings may be secret. */
async function readSettings(path: string): Promise<ReadonlyMap<string, unknown>> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw invalid(path, describeError(error).message, error);
  }
  let value: unknown;
  try {
    value = yaml().parse(text);
  } catch {
    throw invalid(path, "it is neither YAML nor JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid(path, "it is no map of settings by module");
  }
  return new Map(Object.entries(value));
}

function invalid(path: string | undefined, why: string, cause?: unknown): CredentialsError {
  return new CredentialsError(
    "EXTENSION_INVALID",
    `Cannot use ${JSON.stringify(path)} as settings of extensions: ${why}`,
    {
      cause,
    },
  );
}
