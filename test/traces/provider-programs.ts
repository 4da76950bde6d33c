import { isDeepStrictEqual } from "node:util";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";

import {
  CredentialProviders,
  type ProgramResult,
  registerCredentialProviders,
  type RunProgram,
} from "../../src/credentials/index.ts";
import type { Cluster } from "./cluster.ts";
import type { RecordedCall } from "./recording.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** How long a kubelet waits for a program, in milliseconds. */
const TIMEOUT = 60_000;

/** Exec credential providers that answer as they were recorded to. */
export class ProviderPrograms {
  /** What was asked of them, in the recordings' shape. */
  readonly calls: RecordedCall[] = [];
  readonly #recorded: readonly RecordedCall[];
  readonly #clock: VirtualClock;
  readonly #start: number;

  constructor(recorded: readonly RecordedCall[], clock: VirtualClock) {
    this.#recorded = recorded;
    this.#clock = clock;
    this.#start = clock.now();
  }

  async register(
    config: unknown,
    options: {
      readonly root: string;
      readonly cluster: Cluster;
      readonly track: boolean;
      readonly serviceAccountTokens: boolean;
    },
  ): Promise<CredentialProviders> {
    const { root, cluster, track, serviceAccountTokens } = options;
    if (config === undefined || config === null) {
      return new CredentialProviders({ track, serviceAccountTokens });
    }
    const file = join(root, "credential-providers.json");
    const binDirectory = join(root, "bin");
    await mkdir(binDirectory, { recursive: true });
    await writeFile(file, JSON.stringify(config));
    for (const { name } of (config as { providers: readonly { name: string }[] }).providers) {
      await writeFile(join(binDirectory, name), "");
      await chmod(join(binDirectory, name), 0o755);
    }
    const { providers } = await registerCredentialProviders({
      config: file,
      binDirectory,
      systemEnvironment: [],
      now: this.#clock.now,
      serviceAccounts: cluster,
      track,
      serviceAccountTokens,
      run: this.#run,
    });
    return providers;
  }

  readonly #run: RunProgram = async ([program, ...argv], input, { env }): Promise<ProgramResult> => {
    const provider = basename(program);
    const t = (this.#clock.now() - this.#start) / 1000;
    const stdin: unknown = JSON.parse(input);
    const alike = this.#recorded.filter(
      (call) => call.provider === provider && isDeepStrictEqual(call.stdin, stdin),
    );
    const earlier = this.calls.filter(
      (call) => call.provider === provider && isDeepStrictEqual(call.stdin, stdin),
    ).length;
    const answer = alike[earlier] ?? alike.at(-1);
    const { stderr = "never asked this when it was recorded", exitCode = 1 } = answer ?? {};
    const asked = { t, provider, argv, env: env as Record<string, string>, stdin, stderr, exitCode };
    this.calls.push(asked);
    if (exitCode === null) await this.#clock.sleep(TIMEOUT);
    const stdout =
      answer?.stdoutJSON === undefined ? (answer?.stdout ?? "") : JSON.stringify(answer.stdoutJSON);
    return { code: exitCode, stdout, stderr };
  };
}
