import { access, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";

import { type Topic, type Vector } from "./topic.ts";

/** A case whose result isn't what it should be. */
export interface Difference {
  readonly id: string;
  readonly why: string;
}

export interface FileResult {
  /** The file's name, without its folder. */
  readonly file: string;
  readonly passed: number;
  readonly uncovered: number;
  readonly differences: readonly Difference[];
}

/** A folder or file that holds no vectors; the message says what is wrong in one sentence. */
export class VectorFolderError extends Error {}

interface VectorFile {
  readonly cases: readonly Vector[];
  readonly fixtures: unknown;
}

/** Runs every vector file of a folder, in the order of their names. */
export async function* runFolder(folder: string): AsyncIterable<FileResult> {
  const files = await listFiles(folder);
  for (const file of files) yield await runFile(folder, file);
}

async function listFiles(folder: string): Promise<readonly string[]> {
  let names: readonly string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const why =
      code === "ENOENT" ? "it does not exist" : code === "ENOTDIR" ? "it is not a folder" : String(error);
    throw new VectorFolderError(`Cannot read vectors from ${JSON.stringify(folder)}: ${why}`, {
      cause: error,
    });
  }
  const files = names.filter((name) => name.endsWith(".json")).toSorted();
  if (files.length > 0) return files;
  throw new VectorFolderError(`Cannot read vectors from ${JSON.stringify(folder)}: it has no .json file`);
}

async function runFile(folder: string, file: string): Promise<FileResult> {
  const { cases, fixtures } = await readVectors(join(folder, file), file);
  const topic = await findTopic(file);
  if (topic === undefined) return { file, passed: 0, uncovered: cases.length, differences: [] };
  let passed = 0;
  let uncovered = 0;
  const differences: Difference[] = [];
  for (const vector of cases) {
    const difference = await runCase(topic, vector, fixtures);
    if (difference === undefined) passed++;
    else if (difference === "uncovered") uncovered++;
    else differences.push({ id: vector.id, why: difference.why });
  }
  return { file, passed, uncovered, differences };
}

async function runCase(
  topic: Topic,
  vector: Vector,
  fixtures: unknown,
): Promise<undefined | "uncovered" | { readonly why: string }> {
  try {
    const comparison = await topic.check(vector, fixtures);
    if (comparison === undefined) return "uncovered";
    if (isDeepStrictEqual(comparison.actual, comparison.expected)) return undefined;
    return { why: `expected ${show(comparison.expected)}\n    but got  ${show(comparison.actual)}` };
  } catch (error) {
    return { why: `threw ${error instanceof Error ? (error.stack ?? error.message) : show(error)}` };
  }
}

async function findTopic(file: string): Promise<Topic | undefined> {
  const url = new URL(`./topics/${file.slice(0, -".json".length)}.ts`, import.meta.url);
  try {
    await access(url);
  } catch {
    return undefined;
  }
  const module = (await import(url.href)) as { readonly topic: Topic };
  return module.topic;
}

async function readVectors(path: string, file: string): Promise<VectorFile> {
  const complain = (why: string, cause?: unknown): VectorFolderError =>
    new VectorFolderError(`Cannot read vectors from ${JSON.stringify(file)}: ${why}`, { cause });
  let document: unknown;
  try {
    document = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    throw complain(error instanceof SyntaxError ? "it is not JSON" : String(error), error);
  }
  if (typeof document !== "object" || document === null || !("cases" in document)) {
    throw complain('it has no "cases"');
  }
  const { cases } = document;
  if (!Array.isArray(cases) || !cases.every(isVector))
    throw complain('its "cases" are not objects with an "id"');
  return { cases, fixtures: "fixtures" in document ? document.fixtures : undefined };
}

function isVector(value: unknown): value is Vector {
  return typeof value === "object" && value !== null && "id" in value && typeof value.id === "string";
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= 400 ? text : `${text.slice(0, 397)}...`;
}
