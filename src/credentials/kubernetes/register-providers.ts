import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { join } from "node:path";
import { CredentialsError } from "../errors.ts";
import type { RunProgram } from "../run-program.ts";
import { CredentialProviders } from "./credential-providers.ts";
import { ExecPlugin, type PluginRun } from "./exec-plugin.ts";
import type { LogEntry } from "./log-entry.ts";
import { PluginProvider } from "./plugin-provider.ts";
import type { ProviderConfig } from "./provider-config.ts";
import { readProviderConfig } from "./provider-config-files.ts";
import { validateProviderConfig, validationMessage } from "./provider-config-validation.ts";
import { type ServiceAccounts, tokenModeOf } from "./service-accounts.ts";
import { systemError } from "./system-error.ts";

export interface RegistrationOptions {
  /** A file or a directory: `--image-credential-provider-config`. */
  readonly config: string;
  /** Where the programs are: `--image-credential-provider-bin-dir`. */
  readonly binDirectory: string;
  /** Passed on to the programs, as `NAME=value`. */
  readonly systemEnvironment: readonly string[];
  /** Milliseconds since whenever. */
  readonly now: () => number;
  /** Where tokens come from; without it there's no API. */
  readonly serviceAccounts?: ServiceAccounts | undefined;
  /** The gate KubeletServiceAccountTokenForCredentialProviders; on by default. */
  readonly serviceAccountTokens?: boolean | undefined;
  /** The gate KubeletEnsureSecretPulledImages; on by default. */
  readonly track?: boolean | undefined;
  readonly run?: RunProgram | undefined;
  readonly onLog?: ((entry: LogEntry) => void) | undefined;
  readonly onRun?: ((run: PluginRun) => void) | undefined;
}

export interface RegisteredProviders {
  readonly providers: CredentialProviders;
  /** `sha256:<hex>` over the configuration. */
  readonly configHash: string;
}

/**
 * Sets up what a configuration says, or nothing at all.
 *
 * @throws CredentialsError `PROVIDER_INVALID` in the kubelet's words
 */
export async function registerCredentialProviders(
  options: RegistrationOptions,
): Promise<RegisteredProviders> {
  await findBinDirectory(options.binDirectory);
  const { config, hash } = await readProviderConfig(options.config);
  const errors = validateProviderConfig(config, { serviceAccountTokens: options.serviceAccountTokens });
  if (errors.length > 0) {
    throw invalid(`failed to validate credential provider config: ${validationMessage(errors)}`);
  }
  const providers = new CredentialProviders(options);
  for (const provider of config.providers) {
    const path = await findExecutable(join(options.binDirectory, provider.name));
    providers.register(provider.name, toProvider(provider, path, options));
  }
  return { providers, configHash: hash };
}

function toProvider(config: ProviderConfig, path: string, options: RegistrationOptions): PluginProvider {
  const { name, apiVersion, args, env, matchImages = [], defaultCacheDuration, tokenAttributes } = config;
  const { systemEnvironment, run, onRun, onLog, now, serviceAccounts } = options;
  return new PluginProvider({
    name,
    matchImages,
    defaultCacheDuration,
    plugin: new ExecPlugin({ name, path, apiVersion, args, env, systemEnvironment, run, onRun }),
    tokenMode: (options.serviceAccountTokens ?? true) ? tokenModeOf(tokenAttributes) : undefined,
    serviceAccounts,
    now,
    onLog,
  });
}

async function findBinDirectory(path: string): Promise<void> {
  try {
    await stat(path);
  } catch (cause) {
    if (isMissing(cause)) throw invalid(`plugin binary directory ${path} did not exist`, cause);
    const why = systemError(cause, "stat", path);
    throw invalid(`error inspecting binary directory ${path}: ${why}`, cause);
  }
}

/** The kubelet leaves the path out of both messages, by mistake. */
async function findExecutable(path: string): Promise<string> {
  try {
    if ((await stat(path)).isDirectory()) throw Object.assign(new Error(path), { code: "EISDIR" });
    await access(path, constants.X_OK);
    return path;
  } catch (cause) {
    if (isMissing(cause)) throw invalid(`plugin binary executable ${path} did not exist`, cause);
    const why = systemError(cause, "exec:", JSON.stringify(path));
    throw invalid(`error inspecting binary executable ${path}: ${why}`, cause);
  }
}

function isMissing(cause: unknown): boolean {
  return (cause as NodeJS.ErrnoException).code === "ENOENT";
}

function invalid(message: string, cause?: unknown): CredentialsError {
  return new CredentialsError("PROVIDER_INVALID", message, { cause });
}
