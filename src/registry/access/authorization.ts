import { Secret } from "../../internal/secret.ts";

export type Authorization =
  | { readonly scheme: "none" }
  | { readonly scheme: "basic"; readonly login: string; readonly password: Secret }
  | { readonly scheme: "bearer"; readonly token: Secret }
  /** Something else, or not what it says it is. */
  | { readonly scheme: "unusable" };

const NONE: Authorization = { scheme: "none" };
const UNUSABLE: Authorization = { scheme: "unusable" };

/** Reads an `Authorization` header. Empty credentials, which some clients send for "I have none", are none. */
export function parseAuthorization(header: string | undefined): Authorization {
  if (header === undefined) return NONE;
  const [, scheme = "", value = ""] = /^([A-Za-z]+) +([^\s]+)\s*$/.exec(header) ?? [];
  switch (scheme.toLowerCase()) {
    case "bearer":
      return { scheme: "bearer", token: new Secret(value) };
    case "basic":
      return parseBasic(value);
    default:
      return UNUSABLE;
  }
}

function parseBasic(value: string): Authorization {
  if (!/^[A-Za-z0-9+/]+=*$/.test(value)) return UNUSABLE;
  const text = Buffer.from(value, "base64").toString();
  const colon = text.indexOf(":");
  if (colon < 0) return UNUSABLE;
  if (text === ":") return NONE;
  return { scheme: "basic", login: text.slice(0, colon), password: new Secret(text.slice(colon + 1)) };
}
