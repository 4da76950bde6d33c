import { GoError } from "../../internal/go/errors.ts";
import type { Secret } from "../../internal/secret.ts";
import { type RunProgram, runProgram } from "../run-program.ts";
import {
  encodeProviderRequest,
  type ProviderRequest,
  type ProviderResponse,
  readProviderResponse,
} from "./provider-api.ts";
import { mergeEnvironment, toEnvironment } from "./provider-environment.ts";
import { signalText, systemError } from "./system-error.ts";

/** Answers a request for credentials. */
export interface CredentialPlugin {
  /** @throws GoError in the kubelet's words */
  exec(request: ProviderRequest): Promise<ProviderResponse>;
}

/** One run of a plugin's program, for metrics. */
export interface PluginRun {
  readonly provider: string;
  readonly seconds: number;
  /** The program failed or took too long; a useless answer doesn't count. */
  readonly failed: boolean;
}

export interface ExecPluginOptions {
  readonly name: string;
  /** The program's file. */
  readonly path: string;
  /** Spoken with it. */
  readonly apiVersion: string;
  readonly args?: readonly string[] | undefined;
  readonly env?: readonly { readonly name: string; readonly value: Secret }[] | undefined;
  /** The environment to pass on, as `NAME=value`. */
  readonly systemEnvironment: readonly string[];
  /** Starts the program; a child process by default. */
  readonly run?: RunProgram | undefined;
  /** Milliseconds until it is killed; a minute by default. */
  readonly timeout?: number | undefined;
  readonly onRun?: ((run: PluginRun) => void) | undefined;
}

/** Runs a program with the request on its stdin and reads the response from its stdout. */
export class ExecPlugin implements CredentialPlugin {
  readonly #options: ExecPluginOptions;

  constructor(options: ExecPluginOptions) {
    this.#options = options;
  }

  async exec(request: ProviderRequest): Promise<ProviderResponse> {
    const { name, apiVersion, onRun } = this.#options;
    const started = performance.now();
    const result = await this.#run(encodeProviderRequest(apiVersion, request));
    const seconds = (performance.now() - started) / 1000;
    const failure = "failure" in result ? result.failure : undefined;
    onRun?.({ provider: name, seconds, failed: failure !== undefined });
    if (failure !== undefined) {
      throw new GoError(
        `error execing credential provider plugin ${name} for image ${request.image}: ${failure}: ${result.stderr}`,
      );
    }
    return readProviderResponse(result.stdout, apiVersion);
  }

  async #run(
    input: string,
  ): Promise<{ readonly failure?: string; readonly stdout: string; readonly stderr: string }> {
    const {
      path,
      args = [],
      env = [],
      systemEnvironment,
      run = runProgram,
      timeout = 60_000,
    } = this.#options;
    const environment = toEnvironment(mergeEnvironment(systemEnvironment, env));
    const deadline = AbortSignal.timeout(timeout);
    let heard = "";
    try {
      const { code, signal, stdout, stderr } = await run([path, ...args], input, {
        env: environment,
        signal: deadline,
        onStderr: (text) => (heard += text),
      });
      if (code === 0) return { stdout, stderr };
      const failure = code === null ? signalText(signal ?? "SIGKILL") : `exit status ${code}`;
      return { failure, stdout, stderr };
    } catch (cause) {
      const failure = deadline.aborted ? "context deadline exceeded" : systemError(cause, "fork/exec", path);
      return { failure, stdout: "", stderr: heard };
    }
  }
}
