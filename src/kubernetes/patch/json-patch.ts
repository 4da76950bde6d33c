/** JSON Patch, RFC 6902, as the API server takes it. */
import { badRequest, failure, type StatusError } from "../objects/status.ts";
import type { Json, JsonObject } from "../objects/object.ts";
import { wireTypeOf } from "./go-value.ts";
import { checkDepth, equalJson, extentOf, isList, isObject, memberOf } from "./json.ts";
import { parsePointer } from "./json-pointer.ts";

export interface JsonPatchOperation extends JsonObject {
  readonly op: "add" | "copy" | "move" | "remove" | "replace" | "test";
  readonly path: string;
  readonly from?: string;
  readonly value?: Json;
}

const MAX_OPERATIONS = 10_000;
/** Few copies of copies would fill the memory. */
const MAX_COPIED_BYTES = 3 * 1024 * 1024;

/**
 * @param patch as decoded, of any shape
 * @returns a new document that shares with the old one what didn't change
 * @throws StatusError: BadRequest for what is no patch, Invalid for one that doesn't apply
 */
export function applyJsonPatch(document: Json, patch: Json): Json {
  checkDepth(patch);
  const operations = parsePatch(patch);
  const patching = new Patching(document);
  for (const operation of operations) patching.apply(operation);
  checkDepth(patching.document);
  return patching.document;
}

function parsePatch(patch: Json): readonly JsonObject[] {
  if (!isList(patch)) {
    throw badRequest(`json: cannot unmarshal ${wireTypeOf(patch)} into Go value of type jsonpatch.Patch`);
  }
  for (const operation of patch) {
    if (operation === null) throw inapplicable();
    if (isObject(operation)) continue;
    throw badRequest(
      `json: cannot unmarshal ${wireTypeOf(operation)} into Go value of type jsonpatch.Operation`,
    );
  }
  if (patch.length > MAX_OPERATIONS) {
    const limit = `The allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${patch.length}`;
    throw failure("RequestEntityTooLarge", limit);
  }
  return patch as readonly JsonObject[];
}

/** Lists and objects change in place once they are copies of our own. */
class Patching {
  document: Json;
  readonly #own = new WeakSet<object>();
  #copied = 0;

  constructor(document: Json) {
    this.document = document;
  }

  apply(operation: JsonObject): void {
    const path = pointerIn(operation, "path");
    const op = memberOf(operation, "op");
    if (op === "add") this.#add(path, valueIn(operation));
    else if (op === "remove") this.#remove(path);
    else if (op === "replace") this.#replace(path, valueIn(operation));
    else if (op === "move") this.#move(pointerIn(operation, "from"), path);
    else if (op === "copy") this.#add(path, this.#copy(pointerIn(operation, "from")));
    else if (op === "test") this.#test(path, memberOf(operation, "value") ?? null);
    else throw inapplicable();
  }

  #add(path: readonly string[], value: Json): void {
    const [parent, last] = this.#open(path);
    if (parent === undefined) this.document = value;
    else if (Array.isArray(parent)) {
      const at = last === "-" ? parent.length : indexIn(last, parent.length + 1);
      parent.splice(at, 0, value);
    } else define(parent, last, value);
  }

  #remove(path: readonly string[]): Json {
    const removed = this.#find(path);
    const [parent, last] = this.#open(path);
    if (removed === undefined || parent === undefined) throw inapplicable();
    if (Array.isArray(parent)) parent.splice(indexIn(last, parent.length), 1);
    else Reflect.deleteProperty(parent, last);
    return removed;
  }

  #replace(path: readonly string[], value: Json): void {
    if (this.#find(path) === undefined) throw inapplicable();
    const [parent, last] = this.#open(path);
    if (parent === undefined) this.document = value;
    else if (Array.isArray(parent)) parent[indexIn(last, parent.length)] = value;
    else define(parent, last, value);
  }

  #move(from: readonly string[], path: readonly string[]): void {
    const within = path.length > from.length && from.every((name, at) => path[at] === name);
    if (within) throw inapplicable();
    this.#add(path, this.#remove(from));
  }

  #copy(from: readonly string[]): Json {
    const value = this.#find(from);
    if (value === undefined) throw inapplicable();
    this.#copied += extentOf(value, MAX_COPIED_BYTES).size;
    if (this.#copied > MAX_COPIED_BYTES) throw inapplicable();
    checkDepth(value);
    return structuredClone(value);
  }

  #test(path: readonly string[], value: Json): void {
    // A member that isn't there passes for null, but what it should be in has to be there.
    const missing = path.length > 0 && isObject(this.#find(path.slice(0, -1))) ? null : undefined;
    if (!equalJson(this.#find(path) ?? missing, value)) throw inapplicable();
  }

  #find(path: readonly string[]): Json | undefined {
    let value: Json | undefined = this.document;
    for (const name of path) {
      if (isList(value)) value = value[indexIn(name, value.length)];
      else if (isObject(value)) value = memberOf(value, name);
      else return undefined;
    }
    return value;
  }

  /** What holds the end of the path, ready to be changed; nothing for the whole document. */
  #open(path: readonly string[]): [parent: Json[] | Record<string, Json> | undefined, last: string] {
    const last = path.at(-1);
    if (last === undefined) return [undefined, ""];
    let parent = this.#ours(this.document);
    this.document = parent;
    for (const name of path.slice(0, -1)) {
      if (Array.isArray(parent)) {
        const at = indexIn(name, parent.length);
        parent = parent[at] = this.#ours(parent[at]);
      } else {
        const child = this.#ours(memberOf(parent, name));
        define(parent, name, child);
        parent = child;
      }
    }
    return [parent, last];
  }

  #ours(value: Json | undefined): Json[] | Record<string, Json> {
    if (typeof value !== "object" || value === null) throw inapplicable();
    if (this.#own.has(value)) return value as Json[] | Record<string, Json>;
    const copy = isList(value) ? [...value] : ({ ...value } as Record<string, Json>);
    this.#own.add(copy);
    return copy;
  }
}

function define(object: Record<string, Json>, name: string, value: Json): void {
  // An assignment to "__proto__" would change what the object is.
  if (name === "__proto__") {
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
  } else object[name] = value;
}

/** Counts from the end where negative, which the API server allows. */
function indexIn(name: string, length: number): number {
  if (!/^[-+]?\d{1,15}$/.test(name)) throw inapplicable();
  const index = Number(name);
  const at = index < 0 ? index + length : index;
  if (at < 0 || at >= length) throw inapplicable();
  return at;
}

function pointerIn(operation: JsonObject, name: "from" | "path"): readonly string[] {
  const text = memberOf(operation, name);
  const path = typeof text === "string" ? parsePointer(text) : undefined;
  if (path === undefined) throw inapplicable();
  return path;
}

function valueIn(operation: JsonObject): Json {
  const value = memberOf(operation, "value");
  if (value === undefined) throw inapplicable();
  return value;
}

/** The API server doesn't say which operation it was. */
function inapplicable(): StatusError {
  return failure("Invalid", "the server rejected our request due to an error in our request", {});
}
