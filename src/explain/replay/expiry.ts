/** Passwords that are tokens often say themselves how long they are good for. */
import { isObject } from "../json.ts";

/** RFC 3339; undefined for what is neither a JSON Web Token with an end nor a password of Amazon's registries. */
export function expiryOf(password: string): string | undefined {
  const [whole = "", payload, signature] = password.split(".");
  const end = signature === undefined ? readMember(whole, "expiration") : readMember(payload ?? "", "exp");
  if (typeof end !== "number" || !(end > 0) || end > 8.64e12) return undefined;
  return new Date(end * 1000).toISOString().replace(/\.\d+Z$/, "Z");
}

function readMember(encoded: string, name: string): unknown {
  try {
    const document: unknown = JSON.parse(Buffer.from(encoded, "base64url").toString("utf8"));
    return isObject(document) ? document[name] : undefined;
  } catch {
    return undefined;
  }
}
