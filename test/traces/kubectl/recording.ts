/** What kubectl asked a real API server, and what that answered: one file for each command, in one long run. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { parse as parseYaml } from "yaml";

import { isRecord, type Json, type JsonObject } from "./json.ts";

export interface CommandRecording {
  readonly id: string;
  /** Its place in the run. */
  readonly order: number;
  readonly argv: readonly string[];
  /** Content of the files it names, by path. */
  readonly files: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  /** What kubectl knew of the server's documents beforehand: those of the command before, or nothing. */
  readonly discoveryCache?: "empty" | "warm";
  /** How it was ended, where it would have gone on. */
  readonly interrupted?: string;
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly exchanges: readonly Exchange[];
}

export interface Exchange {
  /** Seconds since the command began. */
  readonly t: number;
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly accept?: string;
  readonly requestHeaders: Readonly<Record<string, string>>;
  readonly requestBody?: Body;
  readonly status: number;
  readonly responseHeaders: Readonly<Record<string, string>>;
  readonly responseBody?: Body;
  /** Of a watch. */
  readonly stream?: readonly StreamItem[];
}

export interface Body {
  readonly json?: Json;
  readonly text?: string;
  readonly base64?: string;
  /** What the base64 says, where it's protobuf. */
  readonly decoded?: Json;
  /** A document recorded elsewhere. */
  readonly document?: string;
  readonly truncated?: boolean;
}

export interface StreamItem {
  readonly t: number;
  readonly event: {
    readonly type?: string;
    readonly object?: JsonObject;
    readonly truncated?: boolean;
    readonly text?: string;
  };
}

/** Whether a file's content is one of these. */
export function isCommandRecording(value: unknown): value is CommandRecording {
  return isRecord(value) && Array.isArray(value["argv"]) && Array.isArray(value["exchanges"]);
}

/** All commands of a folder, in the order in which they ran. */
export function readCommands(folder: string): readonly CommandRecording[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .toSorted()
    .map((name): unknown => JSON.parse(readFileSync(join(folder, name), "utf8")))
    .filter((value) => isCommandRecording(value))
    .map((one) => ({ ...one, files: one.files ?? {}, env: one.env ?? {} }))
    .toSorted((one, other) => one.order - other.order);
}

/** What a command printed, where that is a document: a recording may hold the output and not the answer behind it. */
export function printedBy(command: CommandRecording): JsonObject | undefined {
  const { stdout, argv } = command;
  const format = argv[argv.indexOf("-o") + 1];
  if (!argv.includes("-o") || (format !== "json" && format !== "yaml")) return undefined;
  try {
    const printed: unknown = format === "json" ? JSON.parse(stdout) : parseYaml(stdout);
    return isRecord(printed) ? (printed as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}

/** The JSON of a body, whichever way it went over the wire; `undefined` where the recording cut it off. */
export function contentOf(body: Body | undefined): JsonObject | undefined {
  const content = body?.json ?? body?.decoded;
  return isRecord(content) ? (content as JsonObject) : undefined;
}

/** The bytes of a request's body. */
export function bytesOf(body: Body): Uint8Array {
  if (body.base64 !== undefined) return Buffer.from(body.base64, "base64");
  return Buffer.from(body.text ?? JSON.stringify(body.json));
}
