/** Conversations of an API server with admission: what it asked a webhook, or did on its own. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import type { JsonObject, KubernetesObject } from "../../../src/kubernetes/index.ts";

export interface AdmissionCall {
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly review: { readonly request: JsonObject };
  /** What the lab's webhook answered; absent where it answered nothing. */
  readonly reply?: { readonly status?: number; readonly contentType?: string; readonly body?: JsonObject };
  readonly patchDecoded?: readonly JsonObject[];
}

export interface AdmissionRecording {
  readonly id: string;
  readonly title: string;
  readonly webhook: { readonly plugin?: string };
  readonly request?: {
    readonly method: string;
    readonly path: string;
    readonly contentType: string;
    readonly body: JsonObject | null;
  };
  readonly admissionCalls: readonly AdmissionCall[];
  readonly response?: { readonly code: number; readonly body: KubernetesObject };
}

/** In the order of their names. */
export async function* readAdmissionRecordings(folder: string): AsyncIterable<AdmissionRecording> {
  for (const name of (await readdir(folder)).toSorted()) {
    if (!name.endsWith(".json")) continue;
    const recording = JSON.parse(await readFile(join(folder, name), "utf8")) as AdmissionRecording;
    if (Array.isArray(recording.admissionCalls)) yield recording;
  }
}
