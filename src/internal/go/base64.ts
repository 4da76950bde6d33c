import { GoError } from "./errors.ts";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const PAD = 0x3d;
const VALUES = new Int8Array(256).fill(-1);
for (let value = 0; value < 64; value++) VALUES[ALPHABET.charCodeAt(value)] = value;

/**
 * Standard base64 as strict as Go's decoder: line breaks are skipped anywhere, nothing else is, padding is whole or,
 * without `padded`, absent. Bits that are left over aren't looked at.
 *
 * @throws GoError naming the first wrong byte
 */
export function decodeBase64(text: string, options: { readonly padded: boolean }): Buffer {
  const source = Buffer.from(text, "utf8");
  const result = Buffer.alloc(Math.ceil(source.length / 4) * 3);
  let length = 0;
  let at = 0;
  while (at < source.length) {
    let bits = 0;
    let count = 0;
    let ended = false;
    while (count < 4) {
      if (at === source.length) {
        if (count === 0) break;
        if (count === 1 || options.padded) throw corrupt(at - count);
        ended = true;
        break;
      }
      const byte = source[at++] as number;
      const value = VALUES[byte] as number;
      if (value >= 0) {
        bits = (bits << 6) | value;
        count++;
      } else if (!isLineBreak(byte)) {
        if (byte !== PAD || !options.padded || count < 2) throw corrupt(at - 1);
        at = skipPadding(source, at, count);
        ended = true;
        break;
      }
    }
    bits <<= 6 * (4 - count);
    for (let index = 1; index < count; index++) result[length++] = (bits >> (24 - 8 * index)) & 0xff;
    if (ended) break;
  }
  return result.subarray(0, length);
}

/** Goes on behind the padding, of which one character has been read. */
function skipPadding(source: Uint8Array, start: number, count: number): number {
  let at = skipLineBreaks(source, start);
  if (count === 2) {
    if (at === source.length) throw corrupt(at);
    if (source[at] !== PAD) throw corrupt(at - 1);
    at = skipLineBreaks(source, at + 1);
  }
  if (at < source.length) throw corrupt(at);
  return at;
}

function skipLineBreaks(source: Uint8Array, start: number): number {
  let at = start;
  while (at < source.length && isLineBreak(source[at] as number)) at++;
  return at;
}

function isLineBreak(byte: number): boolean {
  return byte === 0x0a || byte === 0x0d;
}

function corrupt(at: number): GoError {
  return new GoError(`illegal base64 data at input byte ${at}`);
}
