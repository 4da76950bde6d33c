/**
 * Who changed what: one JSON text on a line for every change and every attempt at one that was refused.
 *
 * ```json
 * {"time":"2026-11-23T09:04:25.815Z","id":"…","action":"push","kind":"manifest","repository":"team/app","tags":["1.0"],
 *  "digest":"sha256:…","size":392,"caller":"alice","address":"10.0.0.7","agent":"crane/0.20","decision":"allowed","status":201}
 * ```
 *
 * A change's answer waits until its line is in the file. The question that clients without credentials begin with,
 * to hear which ones are wanted, is no attempt. A login that fails has a line of its own, whatever it was made for.
 */
import { randomUUID } from "node:crypto";

import { actionOf, type Action } from "./action.ts";
import { AppendFile, type AppendFileOptions } from "./append-file.ts";
import type { Exchange, Observer } from "./exchange.ts";

export interface AuditLogOptions extends AppendFileOptions {
  /** Refuse changes while the log can't be written. */
  readonly required: boolean;
  /** Where a request came from, behind proxies. */
  readonly addressOf: (exchange: Exchange) => string | undefined;
  readonly newId?: (() => string) | undefined;
}

/** What happens without a change by a request: collections, retention, failed logins. */
export interface AuditNote {
  readonly action: string;
  readonly repository?: string | undefined;
  readonly digest?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly size?: number | undefined;
  readonly caller?: string | undefined;
  readonly address?: string | undefined;
  readonly decision?: "allowed" | "denied" | "failed" | undefined;
  readonly reason?: string | undefined;
}

export class AuditLog implements Observer, AsyncDisposable {
  readonly #file: AppendFile;
  readonly #options: AuditLogOptions;
  #failed = false;

  constructor(path: string, options: AuditLogOptions) {
    this.#file = new AppendFile(path, options);
    this.#options = options;
  }

  async mayChange(): Promise<string | undefined> {
    if (!this.#options.required || !this.#failed) return undefined;
    try {
      await this.note({ action: "resume", reason: "the log can be written again" });
      return undefined;
    } catch {
      return "Nothing can be changed while changes can't be written down; the registry's own log says why";
    }
  }

  onAnswer(exchange: Exchange): Promise<void> | undefined {
    const { method } = exchange.request;
    if (method === "GET" || method === "HEAD") return undefined;
    const action = actionOf(exchange);
    if (action === undefined || isQuestion(exchange)) return undefined;
    return this.#write(this.#lineOf(exchange, action));
  }

  /** Writes down what somebody else did. */
  async note(note: AuditNote): Promise<void> {
    const { newId = randomUUID } = this.#options;
    await this.#write(JSON.stringify({ time: new Date().toISOString(), id: newId(), ...note }));
  }

  /** Opens the file anew: something that rotates logs moved it away. */
  async reopen(): Promise<void> {
    await this.#file.reopen();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }

  async #write(line: string): Promise<void> {
    try {
      await this.#file.append(line);
      this.#failed = false;
    } catch (error) {
      this.#failed = true;
      throw error;
    }
  }

  #lineOf(exchange: Exchange, action: Action): string {
    const { newId = randomUUID, addressOf } = this.#options;
    const { status, request, time, caller, denial } = exchange;
    const denied = status === 401 || status === 403 || status === 429;
    return JSON.stringify({
      time: new Date(time).toISOString(),
      id: newId(),
      ...action,
      // Of what is a blob the type says nothing.
      mediaType: action.kind === "blob" ? undefined : action.mediaType,
      tags: action.tags.length === 0 ? undefined : action.tags,
      caller,
      address: addressOf(exchange),
      agent: request.header("user-agent")?.slice(0, 300),
      decision: denied ? "denied" : status < 400 ? "allowed" : "failed",
      reason: denied ? denial : undefined,
      status,
    });
  }
}

function isQuestion({ status, request }: Exchange): boolean {
  return status === 401 && request.header("authorization") === undefined;
}
