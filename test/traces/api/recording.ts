/** Requests to a real API server, and what it answered: one file holds one group of cases. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import type { Json, JsonObject } from "../../../src/kubernetes/index.ts";

export interface ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly contentType?: string;
  /** As JSON; a text says how to make a body that is too long to stand there. */
  readonly body?: Json;
  /** As it was sent. */
  readonly bodyText?: string;
}

export interface ApiAnswer {
  readonly code: number;
  readonly contentType?: string;
  /** One `Warning` header, the last if there were several. */
  readonly warning?: string;
  /** The whole answer, without what is another each time. */
  readonly body?: JsonObject;
  /** What matters of an object that was accepted. */
  readonly stored?: JsonObject;
  readonly bodyText?: string;
}

export interface ApiCase {
  readonly name: string;
  readonly request: ApiRequest;
  readonly response: ApiAnswer;
}

export interface ApiGroup {
  readonly group: string;
  /** They build on one another, in this order. */
  readonly cases: readonly ApiCase[];
}

export function isApiGroup(document: unknown): document is ApiGroup {
  return typeof document === "object" && document !== null && "group" in document && "cases" in document;
}

export async function* readApiGroups(folder: string): AsyncGenerator<ApiGroup> {
  for (const name of (await readdir(folder)).toSorted()) {
    if (!name.endsWith(".json")) continue;
    const document = JSON.parse(await readFile(join(folder, name), "utf8")) as unknown;
    if (isApiGroup(document)) yield document;
  }
}
