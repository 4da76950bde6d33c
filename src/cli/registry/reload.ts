import type { TlsIdentity } from "../../internal/http-server.ts";
import type { Operations, RegistrySettings } from "../../registry/index.ts";
import { describeError } from "../report-error.ts";
import type { AccessKeeper } from "./access-keeper.ts";
import { formatMembers } from "./format-members.ts";
import type { ResolvedRegistry } from "./options.ts";
import type { Say } from "./run-registry.ts";
import type { TlsKeeper } from "./tls-keeper.ts";

export interface ReloaderOptions {
  readonly resolve: () => Promise<ResolvedRegistry>;
  /** What it began with. */
  readonly settings: RegistrySettings;
  readonly sources: readonly string[];
  readonly access: AccessKeeper;
  readonly notifications: Operations["notifications"];
  /** Lets limits, collection, retention and what may change in storage hold. */
  readonly setRules: (settings: RegistrySettings) => void;
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
  /** Settings that changed and wait for the next start: `listen.port`, `mirror`. */
  readonly waiting: readonly string[];
}

/** Sections and settings that can change while it serves, beside access and notifications. */
const RULES = ["limits", "collection"] as const;
const STORAGE_RULES = ["uploads", "sparse", "deletable"] as const;
/** Of which a change is told setting by setting. */
const SECTIONS = ["listen", "storage"] as const;
const WHOLE = ["mirror", "audit", "log", "metrics"] as const;

/**
 * Reads configuration and certificates again and puts them in force, connections and requests under way untouched.
 * What can't be used leaves in force what was, and is said.
 */
export class Reloader {
  readonly #options: ReloaderOptions;
  #sources: readonly string[];
  #identity: TlsIdentity | undefined;
  /** As it was put in force the last time. */
  #rules: string;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.#sources = options.sources;
    this.#identity = options.identity;
    this.#rules = formatRules(options.settings);
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
    const { say, tls, access, notifications, setRules, reopenLogs } = this.#options;
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
    let settings: RegistrySettings | undefined;
    await attempt("the configuration", async () => {
      const resolved = await this.#options.resolve();
      this.#sources = resolved.sources;
      settings = resolved.settings;
      waiting = this.#findWaiting(settings);
      return false;
    });
    const wanted = settings;
    if (wanted !== undefined) {
      await attempt("access", () => access.replace(wanted.access, { force: asked }));
      await attempt("limits, collection and retention", async () => {
        const rules = formatRules(wanted);
        if (rules === this.#rules) return false;
        setRules(wanted);
        this.#rules = rules;
        return true;
      });
      await attempt("notifications", () => notifications.replace(wanted.notifications, { force: asked }));
    }
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
    if (reloaded.length > 0) say("reloaded", `In force anew: ${reloaded.join("; ")}`);
    else if (asked && failures.length === 0 && waiting.length === 0) say("reloaded", "Nothing changed");
    if (waiting.length > 0)
      say("warning", `Changed, and in force from the next start on: ${waiting.join(", ")}`);
    return { reloaded, failures, waiting };
  }

  /** What changed since the start and can't be put in force. */
  #findWaiting(settings: RegistrySettings): readonly string[] {
    const before = this.#options.settings;
    const differs = (one: unknown, other: unknown): boolean => formatMembers(one) !== formatMembers(other);
    const waiting: string[] = [];
    for (const section of SECTIONS) {
      const [now, then]: Readonly<Record<string, unknown>>[] = [
        { ...settings[section] },
        { ...before[section] },
      ];
      for (const name of new Set([...Object.keys(now ?? {}), ...Object.keys(then ?? {})])) {
        if (section === "storage" && (STORAGE_RULES as readonly string[]).includes(name)) continue;
        if (differs(now?.[name], then?.[name])) waiting.push(`${section}.${name}`);
      }
    }
    return [...waiting, ...WHOLE.filter((name) => differs(settings[name], before[name]))];
  }
}

function formatRules(settings: RegistrySettings): string {
  const storage = STORAGE_RULES.map((name) => settings.storage[name] ?? null);
  return formatMembers([...RULES.map((name) => settings[name]), storage]);
}
