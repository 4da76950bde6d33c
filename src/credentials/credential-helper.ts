/**
 * Speaks to a credential helper, a program `docker-credential-<suffix>` that keeps secrets in a keychain.
 *
 * ```text
 * get    stdin: server          stdout: {"ServerURL":"…","Username":"…","Secret":"…"}
 * store  stdin: the same JSON
 * erase  stdin: server
 * list                          stdout: {"<server>":"<username>", …}
 * ```
 *
 * A failure is an exit code with a sentence on stdout. The user name `<token>` says that the secret is an identity token.
 */
import { basicOrToken } from "./auth-entry.ts";
import type { Credential } from "./credential.ts";
import { CredentialsError } from "./errors.ts";
import { type ProgramResult, type RunProgram, runProgram } from "./run-program.ts";

export interface HelperOptions {
  /** The environment the program sees; its PATH is where the program is looked for. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Starts the program; a child process by default. */
  readonly run?: RunProgram | undefined;
  /** Milliseconds a call may take; 30 s by default, since some helpers ask their user. */
  readonly timeout?: number | undefined;
}

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

const NOT_FOUND = "credentials not found in native keychain";

export class CredentialHelper {
  /** `docker-credential-pass` */
  readonly program: string;
  readonly #options: HelperOptions;

  /** @throws CredentialsError `CONFIG_INVALID` for a suffix that could name a program elsewhere */
  constructor(suffix: string, options: HelperOptions) {
    if (!/^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(suffix)) {
      throw new CredentialsError(
        "CONFIG_INVALID",
        `Cannot use credential helper "${suffix}": not the end of a program's name`,
      );
    }
    this.program = `docker-credential-${suffix}`;
    this.#options = options;
  }

  /** Undefined when the helper keeps nothing for this server. */
  async get(server: string, options: CallOptions = {}): Promise<Credential | undefined> {
    const result = await this.#run("get", server, options);
    const said = result.stdout.trim();
    if (result.code !== 0) {
      if (said.includes(NOT_FOUND)) return undefined;
      throw this.#failed("get", result);
    }
    const { Username = "", Secret = "" } = this.#parse("get", said);
    if (typeof Username !== "string" || typeof Secret !== "string") throw this.#garbled("get");
    return basicOrToken(Username, Secret);
  }

  async store(server: string, credential: Credential, options: CallOptions = {}): Promise<void> {
    const [username, secret] =
      credential.kind === "basic"
        ? [credential.username, credential.password.reveal()]
        : ["<token>", credential.token.reveal()];
    const input = JSON.stringify({ ServerURL: server, Username: username, Secret: secret });
    const result = await this.#run("store", input, options);
    if (result.code !== 0) throw this.#failed("store", result, secret);
  }

  /** False when there was nothing to erase. */
  async erase(server: string, options: CallOptions = {}): Promise<boolean> {
    const result = await this.#run("erase", server, options);
    if (result.code === 0) return true;
    if (result.stdout.includes(NOT_FOUND)) return false;
    throw this.#failed("erase", result);
  }

  /** User names by server. */
  async list(options: CallOptions = {}): Promise<ReadonlyMap<string, string>> {
    const result = await this.#run("list", "", options);
    if (result.code !== 0) throw this.#failed("list", result);
    const entries = Object.entries(this.#parse("list", result.stdout));
    return new Map(entries.filter((entry): entry is [string, string] => typeof entry[1] === "string"));
  }

  async #run(verb: string, input: string, { signal }: CallOptions): Promise<ProgramResult> {
    const { env, run = runProgram, timeout = 30_000 } = this.#options;
    const deadline = AbortSignal.timeout(timeout);
    const either = signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
    try {
      return await run([this.program, verb], input, { env, signal: either });
    } catch (cause) {
      signal?.throwIfAborted();
      if (deadline.aborted) {
        throw new CredentialsError(
          "HELPER_FAILED",
          `Cannot ${verb} with "${this.program}": no answer within ${timeout / 1000} s`,
        );
      }
      const code = (cause as NodeJS.ErrnoException).code;
      if (code === "ENOENT") {
        throw new CredentialsError("HELPER_MISSING", `Cannot run "${this.program}": not found in PATH`, {
          cause,
        });
      }
      throw new CredentialsError(
        "HELPER_FAILED",
        `Cannot run "${this.program}": ${code ?? "it did not start"}`,
        { cause },
      );
    }
  }

  #parse(verb: string, text: string): Readonly<Record<string, unknown>> {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      // The parser's message would quote the text, which may hold the secret.
      throw this.#garbled(verb);
    }
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw this.#garbled(verb);
    return value as Readonly<Record<string, unknown>>;
  }

  #garbled(verb: string): CredentialsError {
    return new CredentialsError(
      "HELPER_FAILED",
      `Cannot ${verb} with "${this.program}": its answer is not what the helper protocol says`,
    );
  }

  #failed(verb: string, { code, stdout, stderr }: ProgramResult, secret = ""): CredentialsError {
    let said = (stdout.trim() || stderr.trim()).split("\n")[0] ?? "";
    if (secret !== "") said = said.replaceAll(secret, "[secret]");
    // What looks like a credential rather than a sentence isn't repeated.
    if (said.startsWith("{")) said = "";
    const why = said === "" ? "" : `, ${said.replaceAll(/\p{Cc}/gu, " ").slice(0, 200)}`;
    return new CredentialsError(
      "HELPER_FAILED",
      `Cannot ${verb} with "${this.program}": exit code ${code}${why}`,
    );
  }
}
