/**
 * The looser names below the image names proper, split into a locator (where) and an object (what there):
 * `registry.example/any/path:object`, `registry.example/any/path@sha256:…`. A query and fragment are dropped.
 */
import { isAuthority } from "./authority.ts";
import { InvalidReferenceError, quote } from "./errors.ts";

export interface Locator {
  /** Host and cleaned path. */
  readonly locator: string;
  /** What follows the path's first `:`, or its first `@` with that sign; may be empty. */
  readonly object: string;
}

/**
 * Splits a name into locator and object.
 *
 * @throws InvalidReferenceError `HOSTNAME_REQUIRED`; `INVALID` for a scheme or what no URL can hold
 */
export function parseLocator(text: string): Locator {
  if (text.includes("://")) throw invalid(text, "it must not have a scheme");
  if (hasControls(text)) throw invalid(text, "it has control characters");
  const { authority, path } = split(text);
  const host = authority.slice(authority.lastIndexOf("@") + 1);
  if (!isAuthority(host)) throw invalid(text, "what stands before the first slash is not a host");
  if (host === "") {
    throw new InvalidReferenceError(
      "HOSTNAME_REQUIRED",
      `Cannot read locator ${quote(text)}: it has no host`,
    );
  }
  const decoded = decodePath(path);
  if (decoded === undefined) throw invalid(text, "it has a broken percent escape");
  const cut = decoded.search(/[:@]/);
  if (cut < 0) return { locator: clean(`${host}/${decoded}`), object: "" };
  const object = decoded.slice(decoded[cut] === ":" ? cut + 1 : cut);
  return { locator: clean(`${host}/${decoded.slice(0, cut)}`), object };
}

export function formatLocator({ locator, object }: Locator): string {
  if (object === "") return locator;
  return object.startsWith("@") ? locator + object : `${locator}:${object}`;
}

/** The locator's first part. */
export function locatorHost({ locator }: Locator): string {
  const slash = locator.indexOf("/");
  return slash < 0 ? locator : locator.slice(0, slash);
}

/** What follows the object's first `@`: perhaps a digest, perhaps only its beginning; empty without one. */
export function locatorDigest({ object }: Locator): string {
  const at = object.indexOf("@");
  return at < 0 ? "" : object.slice(at + 1);
}

function split(text: string): { readonly authority: string; readonly path: string } {
  const end = text.search(/[?#]/);
  const kept = end < 0 ? text : text.slice(0, end);
  const slash = kept.indexOf("/");
  return slash < 0
    ? { authority: kept, path: "" }
    : { authority: kept.slice(0, slash), path: kept.slice(slash) };
}

function hasControls(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}

/** Percent escapes become bytes, bytes become UTF-8; `undefined` for an escape without two hex digits. */
function decodePath(path: string): string | undefined {
  if (!path.includes("%")) return path;
  const parts = path.split("%");
  const bytes: Uint8Array[] = [Buffer.from(parts[0] ?? "")];
  for (const part of parts.slice(1)) {
    if (!/^[0-9A-Fa-f]{2}/.test(part)) return undefined;
    bytes.push(Uint8Array.of(Number.parseInt(part.slice(0, 2), 16)), Buffer.from(part.slice(2)));
  }
  return Buffer.concat(bytes).toString();
}

/** Removes doubled slashes and resolves `.` and `..` by the text alone. */
function clean(path: string): string {
  const kept: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === ".." && kept.length > 0 && kept.at(-1) !== "..") kept.pop();
    else kept.push(part);
  }
  return kept.length === 0 ? "." : kept.join("/");
}

function invalid(text: string, why: string): InvalidReferenceError {
  return new InvalidReferenceError("INVALID", `Cannot read locator ${quote(text)}: ${why}`);
}
