/**
 * What stands for what: the uids and versions of the recording, and ours. Requests that quote an earlier answer are
 * translated before they are sent.
 */
import { isRecord, type Json, type JsonObject } from "./json.ts";

export class Identities {
  readonly #uids = new Map<string, string>();
  readonly #versions = new Map<string, string>();

  /** Learns from two answers to the same question. */
  learn(recorded: Json | undefined, ours: Json | undefined): void {
    if (Array.isArray(recorded) && Array.isArray(ours)) {
      for (const [index, item] of (recorded as readonly Json[]).entries()) {
        this.learn(item, (ours as readonly Json[])[index]);
      }
      return;
    }
    if (!isRecord(recorded) || !isRecord(ours)) return;
    for (const [name, value] of Object.entries(recorded as JsonObject)) {
      const other = (ours as JsonObject)[name];
      if (name === "uid") learn(this.#uids, value, other);
      else if (name === "resourceVersion") learn(this.#versions, value, other);
      else if (name !== "managedFields") this.learn(value, other);
    }
  }

  /** @param path with its query */
  translatePath(path: string): string {
    const url = new URL(path, "http://server");
    // The hash is that of the document, and ours is another; without one the document is the newest.
    if (url.pathname.startsWith("/openapi/")) url.searchParams.delete("hash");
    for (const [name, value] of url.searchParams) {
      if (name === "resourceVersion") url.searchParams.set(name, this.#versions.get(value) ?? value);
      if (name === "fieldSelector") url.searchParams.set(name, this.#translateText(value));
    }
    return `${url.pathname}${url.search}`;
  }

  translateBody(body: Json): Json {
    if (Array.isArray(body)) return body.map((one: Json) => this.translateBody(one));
    if (!isRecord(body)) return body;
    const translated: Record<string, Json | undefined> = {};
    const { op, path, value: given } = body as JsonObject;
    if (typeof op === "string" && typeof path === "string" && typeof given === "string") {
      const known = this.#known(path.slice(path.lastIndexOf("/") + 1), given);
      return { ...(body as JsonObject), value: known ?? given };
    }
    for (const [name, value] of Object.entries(body as JsonObject)) {
      const known = typeof value !== "string" ? undefined : this.#known(name, value);
      translated[name] = known ?? (value === undefined ? undefined : this.translateBody(value));
    }
    return translated;
  }

  #known(name: string, value: string): string | undefined {
    if (name === "uid") return this.#uids.get(value);
    return name === "resourceVersion" ? this.#versions.get(value) : undefined;
  }

  #translateText(text: string): string {
    let translated = text;
    for (const [recorded, ours] of this.#uids) translated = translated.replaceAll(recorded, ours);
    return translated;
  }
}

function learn(into: Map<string, string>, recorded: Json | undefined, ours: Json | undefined): void {
  if (typeof recorded === "string" && typeof ours === "string" && recorded !== "") into.set(recorded, ours);
}
