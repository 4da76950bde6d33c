import { StoreError } from "./errors.ts";

const LONGEST_NAME = 200;

/**
 * The file name for a key: everything but letters, digits, `-` and `_` is escaped, so no key can leave its folder,
 * hide itself, or look like the files beside it.
 *
 * @throws StoreError `INGEST_INVALID`
 */
export function ingestName(key: string): string {
  const name = key.isWellFormed()
    ? encodeURIComponent(key).replaceAll(
        /[.!~*'()]/g,
        (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
      )
    : "";
  if (name.length > 0 && name.length <= LONGEST_NAME) return name;
  const state = name === "" ? "a key needs readable characters" : "the key is too long";
  throw new StoreError("INGEST_INVALID", `Cannot open ingest ${JSON.stringify(key.slice(0, 80))}: ${state}`);
}

/** The inverse; `undefined` for a file of another kind. */
export function nameToKey(name: string): string | undefined {
  try {
    const key = decodeURIComponent(name);
    return ingestName(key) === name ? key : undefined;
  } catch {
    return undefined;
  }
}
