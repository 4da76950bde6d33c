/** A line for every request, as JSON or as web servers have always written it. */
import { AppendFile, type AppendFileOptions } from "./append-file.ts";
import type { Exchange, Observer } from "./exchange.ts";

export type AccessLogFormat = "json" | "combined";

export interface AccessLogOptions {
  readonly format: AccessLogFormat;
  /** Where a request came from, behind proxies. */
  readonly addressOf: (exchange: Exchange) => string | undefined;
}

/** Parameters that name content and pages. Whatever else a query holds may be a secret. */
const SHOWN = new Set(
  "n last mount from digest digest-algorithm tag artifactType ns service scope account client_id".split(" "),
);

/** Asked every few seconds by machines that nobody wants to read about. */
const PROBES = new Set(["/livez", "/readyz", "/healthz"]);

export class AccessLog implements Observer {
  readonly #options: AccessLogOptions;
  readonly #write: (line: string) => void;

  constructor(write: (line: string) => void, options: AccessLogOptions) {
    this.#write = write;
    this.#options = options;
  }

  onEnd(exchange: Exchange): void {
    if (PROBES.has(exchange.request.target)) return;
    const address = this.#options.addressOf(exchange);
    this.#write(
      this.#options.format === "json" ? formatJson(exchange, address) : formatCombined(exchange, address),
    );
  }
}

/** Lines in a file, written together a few times a second, so that no request waits for one. */
export class AccessLogFile implements AsyncDisposable {
  readonly #file: AppendFile;
  readonly #onFailure: (error: unknown) => void;
  #lines: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #told = false;

  constructor(path: string, options: AppendFileOptions & { readonly onFailure: (error: unknown) => void }) {
    this.#file = new AppendFile(path, options);
    this.#onFailure = options.onFailure;
  }

  write(line: string): void {
    // A disk that doesn't take them must not fill the memory.
    if (this.#lines.length >= MAX_LINES) this.#lines.shift();
    this.#lines.push(line);
    this.#timer ??= setTimeout(() => void this.#flush(), WRITE_EVERY).unref();
  }

  async reopen(): Promise<void> {
    await this.#flush();
    await this.#file.reopen();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#flush();
    await this.#file.close();
  }

  async #flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#lines.length === 0) return;
    const lines = this.#lines;
    this.#lines = [];
    try {
      await this.#file.append(lines.join("\n"));
      this.#told = false;
    } catch (error) {
      // Said once; a full disk would fail many times a second.
      if (!this.#told) this.#onFailure(error);
      this.#told = true;
    }
  }
}

const WRITE_EVERY = 200;
const MAX_LINES = 100_000;

/** Path and query without what might be a secret. */
export function withoutSecrets(target: string): string {
  const mark = target.indexOf("?");
  if (mark < 0) return target;
  const parts = target.slice(mark + 1).split("&");
  const shown = parts.map((part) => {
    const [name = ""] = part.split("=", 1);
    return part === "" || SHOWN.has(name) ? part : `${name}=…`;
  });
  return `${target.slice(0, mark)}?${shown.join("&")}`;
}

function formatJson(exchange: Exchange, address: string | undefined): string {
  const { request, status, caller } = exchange;
  return JSON.stringify({
    time: new Date(exchange.time).toISOString(),
    address,
    caller,
    method: request.method,
    target: withoutSecrets(request.target),
    protocol: request.protocol,
    status,
    bytesIn: exchange.bytesIn,
    bytesOut: exchange.bytesOut,
    ms: Math.round(exchange.duration * 100) / 100,
    host: request.header("host"),
    agent: request.header("user-agent"),
    ...(status === 401 || status === 403 || status === 429 ? { denied: exchange.denial } : {}),
  });
}

function formatCombined(exchange: Exchange, address: string | undefined): string {
  const { request, status, caller } = exchange;
  const line = `${request.method} ${withoutSecrets(request.target)} ${request.protocol ?? "HTTP/1.1"}`;
  return [
    address ?? "-",
    "-",
    caller === undefined ? "-" : inWords(caller).replaceAll(" ", "_"),
    `[${formatTime(exchange.time)}]`,
    `"${inWords(line)}"`,
    status,
    exchange.bytesOut === 0 ? "-" : exchange.bytesOut,
    `"${inWords(request.header("referer") ?? "-")}"`,
    `"${inWords(request.header("user-agent") ?? "-")}"`,
  ].join(" ");
}

/** Nothing a client sends can end a field or a line. */
function inWords(text: string): string {
  return text.replaceAll(/["\\\p{Cc}]/gu, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** `23/Nov/2026:09:04:25 +0000` */
function formatTime(time: number): string {
  const iso = new Date(time).toISOString();
  const month = MONTHS[Number(iso.slice(5, 7)) - 1];
  return `${iso.slice(8, 10)}/${month}/${iso.slice(0, 4)}:${iso.slice(11, 19)} +0000`;
}
