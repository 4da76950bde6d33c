import { decodeBase64 } from "../../internal/go/base64.ts";
import { GoError } from "../../internal/go/errors.ts";
import { decodeNode, goString, goStruct } from "../../internal/go/json-decode.ts";
import { encodeJson } from "../../internal/go/json-encode.ts";
import type { JsonNode } from "../../internal/go/json-parse.ts";
import { decodeBytes } from "../../internal/go/utf8.ts";
import { Secret } from "../../internal/secret.ts";

/** What Kubernetes keeps of a registry's entry; identity and registry tokens aren't among it. */
export interface DockerEntry {
  readonly username: string;
  readonly password: Secret;
  readonly email: string;
}

const Entry = goStruct(
  "dockerConfigEntryWithAuth",
  { username: goString, password: goString, email: goString, auth: goString },
  "credentialprovider.dockerConfigEntryWithAuth",
);

const NONE = new Secret("");

/** An entry and, if it can't be used, why; what was read before the failure stays. */
export function readEntry(node: JsonNode): { readonly entry: DockerEntry; readonly error?: GoError } {
  let fields;
  try {
    fields = decodeNode(node, Entry);
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    return { entry: { username: "", password: NONE, email: "" }, error };
  }
  const { username, password, email, auth } = fields;
  if (auth === "") return { entry: { username, password: new Secret(password), email } };
  try {
    return { entry: { ...decodeAuth(auth), email } };
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    return { entry: { username: "", password: NONE, email }, error };
  }
}

/** Blanks of Unicode, which a JavaScript trim doesn't quite agree with. */
const TRAILING_BLANKS = /[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$/;

/**
 * The user and password of an `auth` member. Its end tells whether padding is expected.
 *
 * @throws GoError
 */
export function decodeAuth(auth: string): { readonly username: string; readonly password: Secret } {
  const padded = auth.replace(TRAILING_BLANKS, "").endsWith("=");
  const text = decodeBytes(decodeBase64(auth, { padded }));
  const colon = text.indexOf(":");
  if (colon === -1) {
    throw new GoError("unable to parse auth field, must be formatted as base64(username:password)");
  }
  return { username: text.slice(0, colon), password: new Secret(text.slice(colon + 1)) };
}

/** The entry as JSON, with both spellings of the credential. The text holds the secret. */
export function encodeEntry({ username, password, email }: DockerEntry): string {
  const secret = password.reveal();
  return encodeJson({
    username: username || undefined,
    password: secret || undefined,
    email: email || undefined,
    auth: Buffer.from(`${username}:${secret}`, "utf8").toString("base64"),
  });
}
