import { OciError, type OciErrorCode } from "./errors.ts";

/** Objects and arrays inside one another; no real document comes near. */
const MAX_DEPTH = 64;

/** A byte order mark stays, and makes the text no JSON, as for other readers of the same bytes. */
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * A JSON object of unknown origin, read member by member. A member that is `null` counts as absent, as in Go, where
 * most of these documents are written. A member of another type than asked for makes the document invalid.
 */
export class Reader {
  readonly #object: Readonly<Record<string, unknown>>;
  readonly #what: string;

  private constructor(object: Readonly<Record<string, unknown>>, what: string) {
    this.#object = object;
    this.#what = what;
  }

  /**
   * Parses the text of a JSON object of at most `limit` bytes.
   *
   * @throws OciError `MANIFEST_INVALID`
   */
  static parse(bytes: Uint8Array | string, what: string, limit: number): Reader {
    const size = typeof bytes === "string" ? Buffer.byteLength(bytes) : bytes.byteLength;
    if (size > limit) throw invalid(what, `it has ${size} bytes, more than the ${limit} that are read`);
    let document: unknown;
    try {
      const text = typeof bytes === "string" ? bytes : UTF8.decode(bytes);
      refuseDepth(text, what);
      document = JSON.parse(text);
    } catch (error) {
      if (error instanceof OciError) throw error;
      throw new OciError("MANIFEST_INVALID", `Cannot read ${what}: it is not JSON in UTF-8`, {
        cause: error,
      });
    }
    if (!isObject(document)) throw invalid(what, "it is not a JSON object");
    return new Reader(document, what);
  }

  /** A value that was parsed elsewhere. */
  static of(value: unknown, what: string): Reader {
    if (!isObject(value)) throw invalid(what, "it is not a JSON object");
    return new Reader(value, what);
  }

  /** Whether the member stands there, if only as `null`. */
  has(name: string): boolean {
    return Object.hasOwn(this.#object, name);
  }

  string(name: string): string | undefined {
    const value = this.#get(name);
    if (value === undefined || typeof value === "string") return value;
    throw this.invalid(`"${name}" is not a string`);
  }

  number(name: string): number | undefined {
    const value = this.#get(name);
    if (value === undefined || typeof value === "number") return value;
    throw this.invalid(`"${name}" is not a number`);
  }

  boolean(name: string): boolean | undefined {
    const value = this.#get(name);
    if (value === undefined || typeof value === "boolean") return value;
    throw this.invalid(`"${name}" is not true or false`);
  }

  object(name: string): Reader | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (!isObject(value)) throw this.invalid(`"${name}" is not an object`);
    return new Reader(value, `${this.#what}: "${name}"`);
  }

  objects(name: string, limit: number): readonly Reader[] | undefined {
    return this.#array(name, limit)?.map((value, index) => {
      if (!isObject(value)) throw this.invalid(`entry ${index} of "${name}" is not an object`);
      return new Reader(value, `${this.#what}: "${name}" ${index}`);
    });
  }

  strings(name: string, limit: number): readonly string[] | undefined {
    return this.#array(name, limit)?.map((value, index) => {
      if (typeof value === "string") return value;
      throw this.invalid(`entry ${index} of "${name}" is not a string`);
    });
  }

  /** An object whose values are all strings. */
  stringMap(name: string): Readonly<Record<string, string>> | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (!isObject(value)) throw this.invalid(`"${name}" is not an object`);
    for (const entry of Object.values(value)) {
      if (typeof entry !== "string") throw this.invalid(`"${name}" has a value that is not a string`);
    }
    return value as Record<string, string>;
  }

  /** The names of an object's members, whatever their values. */
  names(name: string): readonly string[] | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (!isObject(value)) throw this.invalid(`"${name}" is not an object`);
    return Object.keys(value);
  }

  /** The error that says what is wrong with this object. */
  invalid(why: string, code: OciErrorCode = "MANIFEST_INVALID"): OciError {
    return new OciError(code, `Cannot read ${this.#what}: ${why}`);
  }

  #array(name: string, limit: number): readonly unknown[] | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) throw this.invalid(`"${name}" is not an array`);
    if (value.length > limit) throw this.invalid(`"${name}" has more than ${limit} entries`);
    return value;
  }

  #get(name: string): unknown {
    return Object.hasOwn(this.#object, name) ? (this.#object[name] ?? undefined) : undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(what: string, why: string): OciError {
  return new OciError("MANIFEST_INVALID", `Cannot read ${what}: ${why}`);
}

/** Counts brackets outside strings, so that a document that is nothing but brackets costs one look and no memory. */
function refuseDepth(text: string, what: string): void {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) {
      at = endOfString(text, at + 1);
    } else if (code === 0x7b || code === 0x5b) {
      if (++depth > MAX_DEPTH) throw invalid(what, `it nests deeper than ${MAX_DEPTH} levels`);
    } else if (code === 0x7d || code === 0x5d) {
      depth--;
    }
  }
}

function endOfString(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) return at;
    if (code === 0x5c) at++;
  }
  return text.length;
}
