import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { GoError } from "../../internal/go/errors.ts";
import { goQuote } from "../../internal/go/quote.ts";
import { compareBytes } from "../../internal/go/utf8.ts";
import { CredentialsError } from "../errors.ts";
import {
  type CredentialProviderConfig,
  decodeProviderConfig,
  type ProviderConfig,
} from "./provider-config.ts";
import { systemError } from "./system-error.ts";

export interface ProviderConfigFiles {
  readonly config: CredentialProviderConfig;
  /** `sha256:<hex>` over what was read. */
  readonly hash: string;
  readonly paths: readonly string[];
}

const EXTENSIONS: readonly string[] = [".json", ".yaml", ".yml"];

/**
 * Reads a file, or the files of a directory in the order of their names, as one configuration.
 *
 * @throws CredentialsError `PROVIDER_INVALID` in the kubelet's words
 */
export async function readProviderConfig(path: string): Promise<ProviderConfigFiles> {
  try {
    const paths = await listFiles(path);
    const hash = createHash("sha256");
    const providers = new Map<string, ProviderConfig>();
    for (const file of paths) {
      const bytes = await attempt(readFile(file), "open", file, `unable to read file ${goQuote(file)}`);
      for (const provider of decode(bytes, file)) {
        if (providers.has(provider.name)) {
          throw new GoError(
            `duplicate provider name ${goQuote(provider.name)} found in configuration file(s)`,
          );
        }
        providers.set(provider.name, provider);
      }
      const length = Buffer.alloc(8);
      length.writeBigUInt64BE(BigInt(bytes.length));
      hash.update(length).update(bytes);
    }
    return { config: { providers: [...providers.values()] }, hash: `sha256:${hash.digest("hex")}`, paths };
  } catch (cause) {
    if (!(cause instanceof GoError)) throw cause;
    throw new CredentialsError("PROVIDER_INVALID", cause.message, { cause });
  }
}

async function listFiles(path: string): Promise<readonly string[]> {
  if (path === "") throw new GoError("credential provider config path is empty");
  const status = await attempt(stat(path), "stat", path, `unable to access path ${goQuote(path)}`);
  if (!status.isDirectory()) return [path];
  const listing = readdir(path, { withFileTypes: true });
  const entries = await attempt(listing, "open", path, `unable to read directory ${goQuote(path)}`);
  const files = entries
    .filter((entry) => entry.isFile() && EXTENSIONS.includes(extensionOf(entry.name)))
    .map((entry) => join(path, entry.name))
    .toSorted(compareBytes);
  if (files.length > 0) return files;
  throw new GoError(`no configuration files found in directory ${goQuote(path)}`);
}

/** Also of a name that is all extension. */
function extensionOf(name: string): string {
  return extname(`x${name}`);
}

function decode(bytes: Uint8Array, path: string): readonly ProviderConfig[] {
  try {
    return decodeProviderConfig(bytes).providers;
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    throw new GoError(`error decoding config ${goQuote(path)}: ${error.message}`, { cause: error });
  }
}

async function attempt<T>(act: Promise<T>, verb: string, path: string, what: string): Promise<T> {
  try {
    return await act;
  } catch (cause) {
    throw new GoError(`${what}: ${systemError(cause, verb, path)}`, { cause });
  }
}
