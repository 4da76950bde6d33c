/**
 * Credentials from a program, as `client.authentication.k8s.io` has it: it is told about the cluster in an environment
 * variable and prints an ExecCredential, which is kept until it ends or a server refuses it.
 */
import { Secret } from "../../internal/secret.ts";
import type { ApiCredential, ApiCredentialSource } from "./authenticate.ts";
import type { Clock } from "./clock.ts";
import type { ClusterInfo } from "./cluster-config.ts";
import { KubernetesClientError } from "./errors.ts";
import { type ConfigEntry, isRecord } from "./kubeconfig-document.ts";

export interface ExecSettings {
  readonly entry: ConfigEntry;
  readonly apiVersion: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly installHint: string | undefined;
  readonly provideClusterInfo: boolean;
}

export interface PluginRun {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

/** Runs a program without a shell or input. @returns its standard output; rejects when it failed */
export type RunExecPlugin = (run: PluginRun) => Promise<string>;

const API_VERSIONS: readonly string[] = [
  "client.authentication.k8s.io/v1",
  "client.authentication.k8s.io/v1beta1",
];
const MODES: readonly string[] = ["Never", "IfAvailable", "Always"];
/** Long enough for a login that asks a slow service; short enough for nobody to wonder. */
const DEADLINE_MS = 60_000;

/** @throws KubernetesClientError naming what is wrong in the entry */
export function readExecSettings(entry: ConfigEntry): ExecSettings {
  const apiVersion = entry.text("apiVersion");
  if (apiVersion === undefined || !API_VERSIONS.includes(apiVersion)) {
    throw entry.fault(
      `has apiVersion ${JSON.stringify(apiVersion ?? "")}; known are ${API_VERSIONS.join(", ")}`,
    );
  }
  const command = entry.text("command");
  if (command === undefined) throw entry.fault("has no command");
  const mode = entry.text("interactiveMode");
  if (mode === undefined && apiVersion.endsWith("/v1")) throw entry.fault("has no interactiveMode");
  if (mode !== undefined && !MODES.includes(mode)) throw entry.fault(`has interactiveMode "${mode}"`);
  if (mode === "Always") throw entry.fault("wants to ask on a terminal, and there is none for it here");
  const env = entry.raw("env") ?? [];
  if (!Array.isArray(env)) throw entry.fault("has env, which is not a list");
  const pairs = (env as unknown[]).map((item): [string, string] => {
    const { name, value } = isRecord(item) ? item : {};
    if (typeof name !== "string" || typeof value !== "string")
      throw entry.fault("has env without name and value");
    return [name, value];
  });
  return {
    entry,
    apiVersion,
    // As a shell has it: only what is written with a slash is a path.
    command: command.includes("/") ? (entry.path("command") ?? command) : command,
    args: entry.texts("args"),
    env: Object.fromEntries(pairs),
    installHint: entry.text("installHint"),
    provideClusterInfo: entry.flag("provideClusterInfo"),
  };
}

export interface ExecCredentialsOptions {
  readonly cluster: ClusterInfo;
  readonly clock: Clock;
  /** What the program inherits. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly run?: RunExecPlugin | undefined;
}

interface Kept {
  readonly credential: ApiCredential;
  readonly expires: number;
}

export class ExecCredentials implements ApiCredentialSource {
  readonly #settings: ExecSettings;
  readonly #options: ExecCredentialsOptions;
  #kept: Kept | undefined;
  #running: Promise<Kept> | undefined;

  constructor(settings: ExecSettings, options: ExecCredentialsOptions) {
    this.#settings = settings;
    this.#options = options;
  }

  /** Callers that come together share one run. */
  async get(signal?: AbortSignal): Promise<ApiCredential> {
    signal?.throwIfAborted();
    if (this.#kept !== undefined && this.#options.clock.now() < this.#kept.expires)
      return this.#kept.credential;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    this.#kept = await this.#running;
    signal?.throwIfAborted();
    return this.#kept.credential;
  }

  renew(): void {
    this.#kept = undefined;
  }

  async #run(): Promise<Kept> {
    const { command, args, env, entry, installHint } = this.#settings;
    const environment = {
      ...this.#options.env,
      ...env,
      KUBERNETES_EXEC_INFO: JSON.stringify(this.#request()),
    };
    const run = this.#options.run ?? runProgram;
    let output: string;
    try {
      output = await run({ command, args, env: environment, signal: AbortSignal.timeout(DEADLINE_MS) });
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      const missing = code === "ENOENT";
      const hint = missing && installHint !== undefined ? `; ${installHint.trim()}` : "";
      const state = missing
        ? `names command "${command}", which is not there${hint}`
        : `failed: "${command}"${ending(cause)}`;
      throw helperError(missing ? "HELPER_MISSING" : "HELPER_FAILED", entry, state, cause);
    }
    return this.#read(output);
  }

  #request(): object {
    const { apiVersion, provideClusterInfo } = this.#settings;
    const { cluster } = this.#options;
    const info = {
      server: cluster.server,
      ...(cluster.serverName !== undefined && { "tls-server-name": cluster.serverName }),
      ...(cluster.insecure === true && { "insecure-skip-tls-verify": true }),
      ...(cluster.certificateAuthority !== undefined && {
        "certificate-authority-data": Buffer.from(cluster.certificateAuthority).toString("base64"),
      }),
      ...(cluster.proxy !== undefined && { "proxy-url": cluster.proxy }),
      ...(cluster.execConfig !== undefined && { config: cluster.execConfig }),
    };
    return {
      kind: "ExecCredential",
      apiVersion,
      spec: { ...(provideClusterInfo && { cluster: info }), interactive: false },
    };
  }

  #read(output: string): Kept {
    const { entry, apiVersion, command } = this.#settings;
    const fault = (state: string): KubernetesClientError =>
      helperError("HELPER_FAILED", entry, `failed: "${command}" ${state}`);
    let document: unknown;
    try {
      document = JSON.parse(output);
    } catch {
      // Without the cause: a parser quotes what it stumbled over, and that may be a token.
      throw fault("printed no JSON");
    }
    if (!isRecord(document) || document["kind"] !== "ExecCredential")
      throw fault("printed no ExecCredential");
    if (document["apiVersion"] !== apiVersion) throw fault(`did not answer in ${apiVersion}`);
    const { status } = document;
    if (!isRecord(status)) throw fault("printed no status");
    const text = (name: string): string | undefined => {
      const value = status[name] ?? "";
      if (typeof value !== "string") throw fault(`printed ${name}, which is not a text`);
      return value === "" ? undefined : value;
    };
    const token = text("token");
    const certificate = text("clientCertificateData");
    const key = text("clientKeyData");
    if ((certificate === undefined) !== (key === undefined))
      throw fault("printed half of a certificate and its key");
    if (token === undefined && certificate === undefined)
      throw fault("printed neither a token nor a certificate");
    const expiration = text("expirationTimestamp");
    const expires = expiration === undefined ? Number.POSITIVE_INFINITY : Date.parse(expiration);
    if (Number.isNaN(expires)) throw fault("printed expirationTimestamp, which is not a time");
    return {
      expires,
      credential: {
        ...(token !== undefined && { token: new Secret(token) }),
        ...(certificate !== undefined &&
          key !== undefined && { certificate: { certificate, key: new Secret(key) } }),
      },
    };
  }
}

function helperError(
  code: "HELPER_FAILED" | "HELPER_MISSING",
  entry: ConfigEntry,
  state: string,
  cause?: unknown,
): KubernetesClientError {
  return new KubernetesClientError(code, `Cannot use kubeconfig "${entry.file}": ${entry.what} ${state}`, {
    cause,
  });
}

/** How a program ended, without what it said: that may hold secrets. */
function ending(cause: unknown): string {
  const { code, signal, name } = cause as { code?: unknown; signal?: unknown; name?: unknown };
  if (name === "AbortError" || name === "TimeoutError") return " took too long";
  if (typeof signal === "string") return ` was ended by ${signal}`;
  return typeof code === "number" || typeof code === "string" ? ` ended with ${code}` : "";
}

const OUTPUT_LIMIT = 1024 * 1024;

const runProgram: RunExecPlugin = async ({ command, args, env, signal }) => {
  const { execFile } = await import("node:child_process");
  return await new Promise((resolve, reject) => {
    const options = { env: env as NodeJS.ProcessEnv, signal, maxBuffer: OUTPUT_LIMIT, windowsHide: true };
    const child = execFile(command, [...args], options, (error, stdout) => {
      // Its message holds the whole command line, which may hold secrets.
      if (error === null) resolve(stdout);
      else
        reject(
          Object.assign(new Error("the program failed"), {
            code: error.code,
            signal: error.signal,
            name: error.name,
          }),
        );
    });
    child.stdin?.on("error", () => {});
    child.stdin?.end();
  });
};
