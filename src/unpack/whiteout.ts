import { UnpackError } from "./errors.ts";

export const WHITEOUT_PREFIX = ".wh.";
const META_PREFIX = ".wh..wh.";
const OPAQUE = ".wh..wh..opq";

/** What a name asks for, judged by its last component alone. */
export type Whiteout =
  | { readonly kind: "remove"; readonly name: string }
  /** What lower layers have in this folder goes away. */
  | { readonly kind: "opaque" }
  /** What aufs keeps about itself. */
  | { readonly kind: "ignore" };

/**
 * Reads a marker; `undefined` for a name that is none.
 *
 * @throws UnpackError `ARCHIVE_INVALID` for a marker that would remove its own folder or the one above
 */
export function parseWhiteout(name: string): Whiteout | undefined {
  if (!name.startsWith(WHITEOUT_PREFIX)) return undefined;
  if (name === OPAQUE) return { kind: "opaque" };
  if (name.startsWith(META_PREFIX)) return { kind: "ignore" };
  const hidden = name.slice(WHITEOUT_PREFIX.length);
  if (hidden === "" || hidden === "." || hidden === "..") {
    throw new UnpackError(
      "ARCHIVE_INVALID",
      `Cannot unpack ${JSON.stringify(name)}: it would remove the folder it lies in, or the one above`,
    );
  }
  return { kind: "remove", name: hidden };
}

/** The marker that hides a name of lower layers. */
export function whiteoutOf(name: string): string {
  return WHITEOUT_PREFIX + name;
}
