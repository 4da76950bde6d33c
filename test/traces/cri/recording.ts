/** What an image service answered over the CRI, call by call, and what crictl printed of it. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { type RecordedImage, RecordingError } from "../recording.ts";

export interface CriRecording {
  readonly id: string;
  readonly title: string;
  readonly registry: { readonly images: readonly RecordedImage[] };
  /** Calls build on each other, and begin with an empty store. */
  readonly calls?: readonly RecordedCall[];
  /** … or crictl makes them. */
  readonly commands?: readonly RecordedCommand[];
}

export interface RecordedCall {
  readonly method: string;
  readonly request: Readonly<Record<string, unknown>>;
  /** gRPC's, by name. */
  readonly code: string;
  readonly message?: string;
  readonly response?: Readonly<Record<string, unknown>>;
  readonly registryRequests?: readonly RegistryRequest[];
}

export interface RegistryRequest {
  readonly registry: string;
  readonly method: string;
  readonly path: string;
  readonly authorization: string | null;
  readonly status: number | null;
}

export interface RecordedCommand {
  readonly argv: readonly string[];
  readonly exitCode: number;
  readonly stdout?: string;
  /** What it printed, where that is JSON. */
  readonly json?: unknown;
  readonly stderr: string;
}

export function isCriRecording(content: Readonly<Record<string, unknown>>): boolean {
  const [call] = Array.isArray(content["calls"]) ? (content["calls"] as unknown[]) : [];
  const [command] = Array.isArray(content["commands"]) ? (content["commands"] as unknown[]) : [];
  if (typeof call === "object" && call !== null) return "method" in call && "code" in call;
  if (typeof command !== "object" || command === null || !("argv" in command)) return false;
  return Array.isArray(command.argv) && command.argv[0] === "crictl";
}

export async function* readCriRecordings(folder: string): AsyncGenerator<CriRecording> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".json"));
  for (const name of names.toSorted()) {
    let content: unknown;
    try {
      content = JSON.parse(await readFile(join(folder, name), "utf8"));
    } catch (cause) {
      throw new RecordingError(`Cannot read recording ${JSON.stringify(name)}: not JSON`, { cause });
    }
    if (isCriRecording(content as Record<string, unknown>)) yield content as CriRecording;
  }
}
