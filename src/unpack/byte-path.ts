/**
 * Paths as tars and file systems have them: bytes, not necessarily UTF-8. Here they are strings of one character per
 * byte, which compare, split and hash as bytes do; file system calls get them back as bytes where that matters.
 */

/** The components of a name, cleaned by its text alone: no empty ones, no `.`, and `..` ends at the root. */
export function cleanName(name: string): string[] {
  const parts: string[] = [];
  for (const part of name.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") parts.pop();
    else parts.push(part);
  }
  return parts;
}

/** One character per byte. `raw` has the bytes of a name that is not UTF-8. */
export function toByteString(text: string, raw?: Uint8Array): string {
  if (raw !== undefined) return Buffer.from(raw).toString("latin1");
  return isAscii(text) ? text : Buffer.from(text, "utf8").toString("latin1");
}

/** What `node:fs` takes for a byte string. */
export function toFsPath(path: string): string | Buffer {
  return isAscii(path) ? path : Buffer.from(path, "latin1");
}

/** For messages. */
export function toText(path: string): string {
  return isAscii(path) ? path : Buffer.from(path, "latin1").toString("utf8");
}

/** Every other character takes two bytes or more. */
function isAscii(text: string): boolean {
  return Buffer.byteLength(text, "utf8") === text.length;
}
