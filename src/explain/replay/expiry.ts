/** Passwords that are tokens often say themselves how long they are good for. */

/** RFC 3339; undefined for what isn't a JSON Web Token with an end. */
export function expiryOf(password: string): string | undefined {
  const [, payload, signature] = password.split(".");
  if (payload === undefined || signature === undefined) return undefined;
  let end: unknown;
  try {
    ({ exp: end } = JSON.parse(Buffer.from(payload, "base64url").toString("utf8")) as { exp?: unknown });
  } catch {
    return undefined;
  }
  if (typeof end !== "number" || !(end > 0) || end > 8.64e12) return undefined;
  return new Date(end * 1000).toISOString().replace(/\.\d+Z$/, "Z");
}
