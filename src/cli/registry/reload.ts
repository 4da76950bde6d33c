import type { TlsIdentity } from "../../internal/http-server.ts";
import type { RegistrySettings } from "../../registry/index.ts";
import { describeError } from "../report-error.ts";
import type { AccessKeeper } from "./access-keeper.ts";
import { formatMembers } from "./format-members.ts";
import type { ResolvedRegistry } from "./options.ts";
import type { Say } from "./run-registry.ts";
import type { TlsKeeper } from "./tls-keeper.ts";

export interface ReloaderOptions {
  readonly resolve: () => Promise<ResolvedRegistry>;
  /** What is in force. */
  readonly settings: RegistrySettings;
  readonly sources: readonly string[];
  readonly access: AccessKeeper;
  readonly tls: TlsKeeper | undefined;
  /** What is shown. */
  readonly identity: TlsIdentity | undefined;
  readonly onIdentity: (identity: TlsIdentity) => void;
  readonly reopenLogs: () => Promise<void>;
  readonly say: Say;
}

/** What came of reading everything again. */
export interface ReloadOutcome {
  readonly reloaded: readonly string[];
  readonly failures: readonly string[];
  /** Sections that changed and wait for the next start. */
  readonly waiting: readonly string[];
}

/**
 * Reads configuration and certificates again and puts them in force, connections and requests under way untouched.
 * What can't be used leaves in force what was, and is said.
 */
export class Reloader {
  readonly #options: ReloaderOptions;
  #sources: readonly string[];
  #identity: TlsIdentity | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.#sources = options.sources;
    this.#identity = options.identity;
  }

  /** What is to be watched. */
  get paths(): readonly string[] {
    return [...this.#sources, ...(this.#options.tls?.paths ?? [])];
  }

  /** One after the other. `asked`: by somebody, who wants everything read again and to hear of it. */
  reload(options: { readonly asked: boolean }): Promise<ReloadOutcome> {
    const turn = this.#turn.then(() => this.#reload(options.asked));
    this.#turn = turn;
    return turn;
  }

  async #reload(asked: boolean): Promise<ReloadOutcome> {
    const { say, tls, access, reopenLogs } = this.#options;
    const reloaded: string[] = [];
    const failures: string[] = [];
    let waiting: readonly string[] = [];
    const attempt = async (name: string, read: () => Promise<boolean>): Promise<void> => {
      try {
        if (await read()) reloaded.push(name);
      } catch (error) {
        failures.push(`${describeError(error).message}; what was in force stays`);
      }
    };
    await attempt("access", async () => {
      const { settings, sources } = await this.#options.resolve();
      this.#sources = sources;
      waiting = this.#findWaiting(settings);
      return await access.replace(settings.access, { force: asked });
    });
    await attempt("the certificate", async () => {
      const next = await tls?.look();
      if (next === undefined || next === this.#identity) return false;
      this.#options.onIdentity(next);
      this.#identity = next;
      return true;
    });
    if (asked) {
      await attempt("the logs", async () => {
        await reopenLogs();
        return false;
      });
    }
    for (const failure of failures) say("warning", failure);
    if (reloaded.length > 0) say("reloaded", `In force anew: ${reloaded.join(" and ")}`);
    else if (asked && failures.length === 0) say("reloaded", "Nothing changed");
    if (waiting.length > 0)
      say("warning", `Changed, and in force from the next start on: ${waiting.join(", ")}`);
    return { reloaded, failures, waiting };
  }

  #findWaiting(settings: RegistrySettings): readonly string[] {
    const names = Object.keys(settings) as (keyof RegistrySettings)[];
    return names.filter(
      (name) =>
        name !== "access" && formatMembers(settings[name]) !== formatMembers(this.#options.settings[name]),
    );
  }
}
