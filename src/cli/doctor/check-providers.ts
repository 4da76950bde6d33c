import { join } from "node:path";

import {
  type CredentialProviderConfig,
  CredentialsError,
  matchesImage,
  readProviderConfig,
  registerCredentialProviders,
  validateProviderConfig,
} from "../../credentials/index.ts";
import { parseImageName } from "../../images/index.ts";
import { repositoryName } from "../../reference/index.ts";
import type { CommandContext } from "../context.ts";
import type { Findings } from "./finding.ts";
import { findObstacle, isOpen, lookAt, octal } from "./look.ts";

const AREA = "credential providers";

export interface ProviderPlaces {
  /** `undefined` where the flag isn't given. */
  readonly config: string | undefined;
  readonly binDirectory: string | undefined;
  /** Images to run them for. */
  readonly images: readonly string[];
}

/** What the kubelet checks when it starts, but all of it, not the first fault alone. */
export async function checkProviders(
  findings: Findings,
  { config: path, binDirectory, images }: ProviderPlaces,
  context: CommandContext,
): Promise<void> {
  if (path === undefined && binDirectory === undefined) {
    findings.missed(AREA, "no --image-credential-provider-config was given");
    return;
  }
  if (path === undefined || binDirectory === undefined) {
    const missing = path === undefined ? "config" : "bin-dir";
    const what = `--image-credential-provider-${missing} is missing, and the kubelet needs both`;
    findings.add("PROVIDER_FLAGS", {
      where: path ?? binDirectory ?? "",
      what,
      mend: "Give the kubelet both flags",
    });
    return;
  }
  const folder = await lookAt(binDirectory);
  if (folder.state === "missing") {
    const what = "There is no such directory";
    findings.add("DIRECTORY_MISSING", {
      where: binDirectory,
      what,
      mend: "Correct --image-credential-provider-bin-dir",
    });
  }
  const config = await readConfig(findings, path);
  if (config === undefined) return;
  let isComplete = true;
  for (const { name } of config.providers) {
    if (!(await checkProgram(findings, join(binDirectory, name)))) isComplete = false;
  }
  if (images.length === 0) findings.missed(AREA, "providers weren't run; --run-providers IMAGE does");
  else if (isComplete) await runThem(findings, { config, path, binDirectory, images }, context);
}

async function readConfig(findings: Findings, path: string): Promise<CredentialProviderConfig | undefined> {
  const mend = "Correct it, then restart the kubelet";
  try {
    const { config, paths } = await readProviderConfig(path);
    const faults = validateProviderConfig(config);
    for (const { message: what } of faults)
      findings.add("PROVIDER_CONFIG_INVALID", { where: path, what, mend });
    if (faults.length > 0) return undefined;
    findings.saw(AREA, `${paths.join(", ")}: ${config.providers.map(({ name }) => name).join(", ")}`);
    return config;
  } catch (error) {
    if (!(error instanceof CredentialsError)) throw error;
    findings.add("PROVIDER_CONFIG_INVALID", { where: path, what: error.message, mend });
    return undefined;
  }
}

/** Whether it could be run. */
async function checkProgram(findings: Findings, path: string): Promise<boolean> {
  const look = await lookAt(path);
  if (look.state === "missing") {
    const mend = "Install it under that name, or remove the provider";
    findings.add("PROVIDER_BINARY_MISSING", { where: path, what: "There is no such program", mend });
    return false;
  }
  if (look.state === "hidden") {
    findings.missed(AREA, `${path}: ${look.why}`);
    return false;
  }
  const { stats } = look;
  if (isOpen(stats)) {
    const what = `Its mode is ${octal(stats)}, and the kubelet runs it as root`;
    findings.add("PROVIDER_BINARY_OPEN", { where: path, what, mend: `chmod 755 ${path}` });
  }
  const isRunnable = stats.isFile() && (stats.mode & 0o111) !== 0;
  if (!isRunnable) {
    const what = stats.isFile() ? `Its mode is ${octal(stats)}` : "It is no file";
    findings.add("PROVIDER_BINARY_UNUSABLE", { where: path, what, mend: `chmod 755 ${path}` });
    return false;
  }
  if ((await findObstacle(path, "run")) !== undefined) {
    findings.missed(AREA, `${path}: you may not run it`);
    return false;
  }
  return true;
}

async function runThem(
  findings: Findings,
  {
    config,
    path,
    binDirectory,
    images,
  }: {
    readonly config: CredentialProviderConfig;
    readonly path: string;
    readonly binDirectory: string;
    readonly images: readonly string[];
  },
  { env, clock, signal }: CommandContext,
): Promise<void> {
  for (const image of images) {
    const repository = repositoryName(parseImageName(image));
    const matching = config.providers.filter(({ matchImages = [] }) =>
      matchImages.some((pattern) => matchesImage(pattern, repository)),
    );
    if (matching.length === 0) {
      findings.missed(AREA, `no provider's matchImages match ${image}`);
      continue;
    }
    for (const { name, tokenAttributes } of matching) {
      if (tokenAttributes?.requireServiceAccount !== true) continue;
      findings.missed(AREA, `${name} wants a ServiceAccount's token, which nobody here may make`);
    }
    const runs: { readonly provider: string; readonly failed: boolean; readonly seconds: number }[] = [];
    const { providers } = await registerCredentialProviders({
      config: path,
      binDirectory,
      systemEnvironment: Object.entries(env).flatMap(([name, value]) =>
        value === undefined ? [] : [`${name}=${value}`],
      ),
      now: () => clock.now(),
      track: false,
      onRun: (run) => void runs.push(run),
    });
    const nobody = { name: "", namespace: "", uid: "", serviceAccountName: "" };
    const { credentials } = await providers.forPod(nobody).lookup(repository, { signal });
    for (const { provider, failed, seconds } of runs) {
      const where = join(binDirectory, provider);
      // What it said on its standard error may hold anything.
      if (failed) {
        const what = `It failed for ${image} after ${seconds.toFixed(1)}s`;
        const mend = "Run it by hand with a CredentialProviderRequest on standard input";
        findings.add("PROVIDER_FAILED", { where, what, mend });
      } else findings.saw(AREA, `${provider} answered for ${image} in ${seconds.toFixed(1)}s`);
    }
    if (credentials.length === 0 && runs.length > 0 && runs.every(({ failed }) => !failed)) {
      const what = `No credential came of ${runs.map(({ provider }) => provider).join(", ")} for ${image}`;
      const mend = "Compare the registries of its answer with the image";
      findings.add("PROVIDER_NOTHING", { where: binDirectory, what, mend });
    }
  }
}
