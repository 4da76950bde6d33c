/** Which objects a recorded answer shows in full, and what the recording last said of each. */
import { isRecord, list, type Json, type JsonObject, member } from "./json.ts";
import { contentOf, type Exchange } from "./recording.ts";

/** An object as some answer showed it, with its apiVersion and kind even where a list left them out. */
export function objectsIn(answer: JsonObject | undefined): readonly JsonObject[] {
  if (answer === undefined || typeof answer["kind"] !== "string") return [];
  const kind = answer["kind"];
  if (kind === "Table" || kind === "Status" || kind.endsWith("Review")) return [];
  if (!kind.endsWith("List")) return isObject(answer) ? [answer] : [];
  // Printed lists are of any kind, and their items say which.
  const itemKind = kind === "List" ? undefined : kind.slice(0, -"List".length);
  return list(answer["items"])
    .map((item): JsonObject => ({
      apiVersion: answer["apiVersion"],
      ...(itemKind && { kind: itemKind }),
      ...item,
    }))
    .filter((item) => isObject(item));
}

/** Everything an exchange shows in full, in order. */
export function objectsOf(exchange: Exchange): readonly JsonObject[] {
  const streamed = (exchange.stream ?? []).flatMap(({ event }) => objectsIn(event.object));
  return [...objectsIn(contentOf(exchange.responseBody)), ...streamed];
}

function isObject(value: JsonObject): boolean {
  return isRecord(value["metadata"]) && typeof member(value, "metadata", "name") === "string";
}

/** `v1/Pod shop/web`: what makes an object this one, whatever its uid. */
export function keyOf(object: JsonObject): string {
  const { namespace, name } = (object["metadata"] ?? {}) as JsonObject;
  const place = typeof namespace === "string" ? `${namespace}/` : "";
  return `${text(object["apiVersion"])}/${text(object["kind"])} ${place}${text(name)}`;
}

/** Finds an object by its identity and version: the same bytes wherever they were recorded. */
export class VersionIndex {
  readonly #objects = new Map<string, JsonObject>();

  add(object: JsonObject): void {
    const key = versionKey(object);
    if (key !== undefined) this.#objects.set(key, object);
  }

  /** @param metadata as a row of a table shows it */
  find(metadata: Json | undefined): JsonObject | undefined {
    const key = versionKey({ metadata });
    return key === undefined ? undefined : this.#objects.get(key);
  }
}

function versionKey(object: JsonObject): string | undefined {
  const uid = member(object, "metadata", "uid");
  const version = member(object, "metadata", "resourceVersion");
  return typeof uid === "string" && typeof version === "string" ? `${uid} ${version}` : undefined;
}

function text(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}
