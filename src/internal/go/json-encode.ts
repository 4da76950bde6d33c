import { compareBytes } from "./utf8.ts";

const SPECIAL = /["\\<>&\u2028\u2029\p{Cc}]|\p{Cs}/gu;

const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};

/** A text as Go's JSON encoder writes it, safe to stand in HTML. */
export function encodeJsonString(text: string): string {
  return `"${text.replace(SPECIAL, escape)}"`;
}

/** What {@link encodeJson} takes; members that are undefined are left out. A Map is Go's map, an object its struct. */
export type GoJson =
  | string
  | boolean
  | number
  | null
  | readonly GoJson[]
  | ReadonlyMap<string, GoJson>
  | { readonly [member: string]: GoJson | undefined };

/** Compact JSON: an object's members in their order, a Map's sorted by the bytes of their names. */
export function encodeJson(value: GoJson): string {
  if (typeof value === "string") return encodeJsonString(value);
  if (value === null || typeof value !== "object") return String(value);
  if (Array.isArray(value)) return `[${value.map((item: GoJson) => encodeJson(item)).join(",")}]`;
  const members =
    value instanceof Map
      ? [...(value as ReadonlyMap<string, GoJson>)].toSorted(([a], [b]) => compareBytes(a, b))
      : Object.entries(value).filter((member): member is [string, GoJson] => member[1] !== undefined);
  return `{${members.map(([name, member]) => `${encodeJsonString(name)}:${encodeJson(member)}`).join(",")}}`;
}

function escape(character: string): string {
  const short = SHORT[character];
  if (short !== undefined) return short;
  const code = character.charCodeAt(0);
  if (code >= 0xd800 && code <= 0xdfff) return "\\ufffd";
  // DEL and the control characters of Latin-1 stand as they are.
  return code >= 0x7f && code <= 0x9f ? character : `\\u${code.toString(16).padStart(4, "0")}`;
}
