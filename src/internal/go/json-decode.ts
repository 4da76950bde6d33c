/**
 * JSON into values as Go's decoder does it, from a description of the Go types.
 *
 * ```ts
 * const Entry = goStruct("Entry", { name: goString, tags: goSlice("[]string", goString) });
 * decodeJson('{"NAME":"x"}', Entry); // { name: "x", tags: undefined }
 * decodeStrict(parseJson('{"nmae":1}'), Entry).strictErrors; // ['unknown field "nmae"']
 * ```
 *
 * Loosely, names match in any case, unknown members don't count, a later duplicate goes on where the earlier one ended,
 * and `null` leaves a text or number as it was. Strictly, names match exactly, and unknown and duplicate members
 * are reported. A wrong type is reported after all else was decoded.
 */
import { type GoError, GoTypeError } from "./errors.ts";
import { parseJson, type JsonNode } from "./json-parse.ts";
import { goQuote } from "./quote.ts";

export interface GoType<T> {
  /** As Go prints it: `string`, `[]v1.EnvVar`. */
  readonly name: string;
  readonly zero: T;
  read(node: JsonNode, previous: T, decoding: Decoding): T;
}

export type GoValue<Type> = Type extends GoType<infer T> ? T : never;

/** @throws GoError */
export function decodeJson<T>(text: Uint8Array | string, type: GoType<T>): T {
  return decodeNode(parseJson(text, "rune"), type);
}

/** @throws GoError */
export function decodeNode<T>(node: JsonNode, type: GoType<T>): T {
  const decoding = new Decoding(false);
  const value = type.read(node, type.zero, decoding);
  if (decoding.error !== undefined) throw decoding.error;
  return value;
}

/** Decodes even with strict errors, which are a value; @throws GoError for what can't be decoded at all */
export function decodeStrict<T>(
  node: JsonNode,
  type: GoType<T>,
): { readonly value: T; readonly strictErrors: readonly string[] } {
  const decoding = new Decoding(true);
  const value = type.read(node, type.zero, decoding);
  if (decoding.error !== undefined) throw decoding.error;
  return { value, strictErrors: [...decoding.strictErrors] };
}

/** No more are kept of one document. */
const STRICT_ERRORS = 100;

/** Where a decoding stands and what went wrong so far. */
export class Decoding {
  readonly strict: boolean;
  readonly strictErrors: Set<string> = new Set();
  /** The first; the document is decoded to its end all the same. */
  error: GoError | undefined;
  #struct = "";
  #fields: readonly string[] = [];
  #path = "";

  constructor(strict: boolean) {
    this.strict = strict;
  }

  /** Runs `read` inside a field, an element or a key; what it throws is told as seen from here. */
  within<T>(place: { struct?: string; field?: string; path: string }, read: () => T): T {
    const [struct, fields, path] = [this.#struct, this.#fields, this.#path];
    if (place.struct !== undefined) this.#struct = place.struct;
    if (place.field !== undefined) this.#fields = [...fields, place.field];
    this.#path = path + place.path;
    const value = read();
    [this.#struct, this.#fields, this.#path] = [struct, fields, path];
    return value;
  }

  mismatch(node: JsonNode, type: string): void {
    this.error ??= this.inContext(new GoTypeError(node.kind, type));
  }

  inContext(error: GoError): GoError {
    if (!(error instanceof GoTypeError) || this.#fields.length === 0) return error;
    return error.within(this.#struct, this.#fields);
  }

  refuse(what: "unknown" | "duplicate", name: string): void {
    if (!this.strict || this.strictErrors.size >= STRICT_ERRORS) return;
    this.strictErrors.add(`${what} field ${goQuote(`${this.#path}.${name}`.replace(/^\./, ""))}`);
  }
}

export const goString: GoType<string> = goText("string");

/** A type whose values are texts: `v1.PluginCacheKeyType`. */
export function goText(name: string): GoType<string> {
  return {
    name,
    zero: "",
    read(node, previous, decoding) {
      if (node.kind === "string") return node.value;
      if (node.kind !== "null") decoding.mismatch(node, name);
      return previous;
    },
  };
}

export const goBool: GoType<boolean> = {
  name: "bool",
  zero: false,
  read(node, previous, decoding) {
    if (node.kind === "bool") return node.value;
    if (node.kind !== "null") decoding.mismatch(node, "bool");
    return previous;
  },
};

/** A pointer: undefined when absent or `null`. */
export function goPointer<T>(to: GoType<T>): GoType<T | undefined> {
  return {
    name: `*${to.name}`,
    zero: undefined,
    read: (node, previous, decoding) =>
      node.kind === "null" ? undefined : to.read(node, previous ?? to.zero, decoding),
  };
}

export function goSlice<T>(name: string, of: GoType<T>): GoType<readonly T[] | undefined> {
  return {
    name,
    zero: undefined,
    read(node, previous, decoding) {
      if (node.kind === "null") return undefined;
      if (node.kind === "array") {
        return node.items.map((item, index) =>
          decoding.within({ path: `[${index}]` }, () => of.read(item, of.zero, decoding)),
        );
      }
      decoding.mismatch(node, name);
      return previous;
    },
  };
}

export function goMap<T>(name: string, of: GoType<T>): GoType<ReadonlyMap<string, T> | undefined> {
  return {
    name,
    zero: undefined,
    read(node, previous, decoding) {
      if (node.kind === "null") return undefined;
      if (node.kind !== "object") {
        decoding.mismatch(node, name);
        return previous;
      }
      const map = new Map(previous);
      const seen = new Set<string>();
      for (const [key, value] of node.members) {
        if (seen.has(key)) decoding.refuse("duplicate", key);
        seen.add(key);
        map.set(
          key,
          decoding.within({ path: `.${key}` }, () => of.read(value, of.zero, decoding)),
        );
      }
      return map;
    },
  };
}

type Fields = Readonly<Record<string, GoType<unknown>>>;
type Struct<F extends Fields> = { readonly [Name in keyof F]: GoValue<F[Name]> };

/** A struct by the JSON names of its fields; `name` without its package. */
export function goStruct<F extends Fields>(
  name: string,
  fields: F,
  fullName: string = name,
): GoType<Struct<F>> {
  const byFolded = new Map(Object.keys(fields).map((field) => [fold(field), field]));
  const zero = Object.fromEntries(Object.entries(fields).map(([field, type]) => [field, type.zero]));
  return {
    name: fullName,
    zero: zero as Struct<F>,
    read(node, previous, decoding) {
      if (node.kind === "null") return previous;
      if (node.kind !== "object") {
        decoding.mismatch(node, fullName);
        return previous;
      }
      const value: Record<string, unknown> = { ...previous };
      const seen = new Set<string>();
      for (const [key, member] of node.members) {
        const field = decoding.strict
          ? Object.hasOwn(fields, key)
            ? key
            : undefined
          : byFolded.get(fold(key));
        if (field === undefined) {
          decoding.refuse("unknown", key);
          continue;
        }
        if (seen.has(field)) decoding.refuse("duplicate", field);
        seen.add(field);
        const type = fields[field] as GoType<unknown>;
        value[field] = decoding.within({ struct: name, field, path: `.${field}` }, () =>
          type.read(member, value[field], decoding),
        );
      }
      return value as Struct<F>;
    },
  };
}

/** A type that decodes itself; what `read` throws ends the whole decoding. */
export function goCustom<T>(name: string, zero: T, read: (node: JsonNode, previous: T) => T): GoType<T> {
  return {
    name,
    zero,
    read(node, previous, decoding) {
      try {
        return read(node, previous);
      } catch (error) {
        throw decoding.inContext(error as GoError);
      }
    },
  };
}

/** Names of fields are ASCII, to which two letters from beyond it fold as well. */
function fold(name: string): string {
  return name
    .replaceAll(/[a-z]/g, (letter) => letter.toUpperCase())
    .replaceAll("\u017f", "S")
    .replaceAll("\u212a", "K");
}
