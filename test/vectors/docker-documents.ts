/** What the vectors of Docker's two documents have in common. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  type DockerDocument,
  type DockerEntry,
  type DockerFormat,
  readDocument,
  searchNodeFiles,
} from "../../src/credentials/index.ts";
import { GoError } from "../../src/internal/go/errors.ts";
import { type Comparison, text, type Vector } from "./topic.ts";

export interface Outcome {
  readonly error: boolean;
  readonly message: string | undefined;
  readonly value: unknown;
}

/** No document and an empty one are the same to everyone. */
export function expectedOutcome(vector: Vector): Outcome {
  return {
    error: vector["error"] === true,
    message: vector["errorMessage"] as string | undefined,
    value: vector["expect"] ?? {},
  };
}

export function documentOutcome(input: string, format: DockerFormat, vector: Vector): Outcome {
  try {
    return { error: false, message: undefined, value: plainDocument(readDocument(input, format)) };
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    return {
      error: true,
      message: vector["errorMessage"] === undefined ? undefined : error.message,
      value: {},
    };
  }
}

/** The file lies in the kubelet's root directory. */
export async function nodeFileOutcome(vector: Vector): Promise<Comparison> {
  const root = await mkdtemp(join(tmpdir(), "dray-node-files-"));
  try {
    await writeFile(join(root, text(vector, "fileName")), text(vector, "input"));
    const places = { root, workingDirectory: join(root, "elsewhere"), home: join(root, "home") };
    const { found } = await searchNodeFiles(places);
    const actual = { error: found === undefined, value: plainDocument(found?.document ?? new Map()) };
    const { error, value } = expectedOutcome(vector);
    return { actual, expected: { error, value } };
  } finally {
    await rm(root, { recursive: true });
  }
}

export function plainDocument(document: DockerDocument): Record<string, unknown> {
  return Object.fromEntries([...document].map(([key, entry]) => [key, plainEntry(entry)]));
}

export function plainEntry({ username, password, email }: DockerEntry): Record<string, string> {
  return { username, password: password.reveal().toWellFormed(), email };
}
