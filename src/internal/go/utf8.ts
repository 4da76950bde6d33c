/**
 * Go's strings are bytes. Bytes that aren't UTF-8 are kept in JavaScript's as the lone surrogates U+DC80–U+DCFF, one
 * for each, so that a text can be told from one that holds U+FFFD itself; encoded again they become U+FFFD.
 */
const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes as text; each byte that is no part of a character is kept apart from all characters. */
export function decodeBytes(bytes: Uint8Array): string {
  return decode(bytes, (byte) => String.fromCharCode(0xdc00 + byte));
}

/** Bytes as text; each byte that is no part of a character becomes U+FFFD, as in Go's JSON decoder. */
export function decodeReplacing(bytes: Uint8Array): string {
  return decode(bytes, () => "\ufffd");
}

/** The order of the UTF-8 bytes; `<` compares UTF-16, where the astral planes come before U+E000. */
export function compareBytes(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const left = a.charCodeAt(at);
    const right = b.charCodeAt(at);
    if (left !== right) return fixUp(left) - fixUp(right);
  }
  return a.length - b.length;
}

/** Moves surrogates behind everything else of the basic plane. */
function fixUp(unit: number): number {
  return unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit;
}

function decode(bytes: Uint8Array, invalid: (byte: number) => string): string {
  try {
    return STRICT.decode(bytes);
  } catch {
    // Below, character by character.
  }
  let text = "";
  for (let at = 0; at < bytes.length;) {
    const size = sizeOfCharacter(bytes, at);
    if (size === 0) text += invalid(bytes[at++] as number);
    else {
      text += STRICT.decode(bytes.subarray(at, at + size));
      at += size;
    }
  }
  return text;
}

/** Bytes of the well-formed character at `at`; 0 if there's none. */
function sizeOfCharacter(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number;
  if (first < 0x80) return 1;
  const size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + size > bytes.length) return 0;
  const second = bytes[at + 1] as number;
  // Overlong forms, surrogates, and what lies beyond U+10FFFF.
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let next = at + 2; next < at + size; next++) {
    if (((bytes[next] as number) & 0xc0) !== 0x80) return 0;
  }
  return size;
}
