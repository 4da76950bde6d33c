import { canonical } from "./objects.ts";

/** No vowels, and nothing that looks like another: what is made at random spells no word. */
const ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

/** The same short word for the same template, whatever the order of its members. */
export function hashTemplate(template: unknown, collisions: number = 0): string {
  let hash = 0x811c9dc5;
  const bytes = Buffer.from(canonical(template) + (collisions === 0 ? "" : `#${collisions}`));
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return [...Buffer.from(String(hash))].map((code) => ALPHABET[code % ALPHABET.length]).join("");
}
