/** What is odd about a login, told without telling the login. */
import type { PullSecret, TrackedCredential } from "../../credentials/index.ts";
import { isObject, objectAt } from "../json.ts";

/** Undefined for one that looks like a login. */
export function faultOf({
  username,
  password,
}: Pick<TrackedCredential, "username" | "password">): string | undefined {
  const text = password.reveal();
  if (username === "" && text === "") return "it has neither user nor password";
  if (text === "") return "it has no password";
  for (const [what, value] of [
    ["password", text],
    ["user name", username],
  ] as const) {
    if (/\s$/.test(value)) return `its ${what} ends with white space`;
    if (/^\s/.test(value)) return `its ${what} begins with white space`;
  }
  return undefined;
}

export function isBlank({ username, password }: Pick<TrackedCredential, "username" | "password">): boolean {
  return username === "" && password.reveal() === "";
}

/** Where `docker login` keeps logins, and nodes don't look. */
const UNREAD = ["credsStore", "credHelpers"] as const;
const UNREAD_IN_ENTRIES = ["identitytoken", "registrytoken"] as const;

/** The members of a pull secret's document that hold logins for others than nodes. */
export function unreadMembers({ data }: PullSecret): readonly string[] {
  const found = new Set<string>();
  for (const bytes of Object.values(data)) {
    const document = parse(Buffer.from(bytes).toString("utf8"));
    for (const member of UNREAD) if (member in document) found.add(member);
    for (const entry of Object.values(objectAt(document, "auths"))) {
      const names = isObject(entry) ? Object.keys(entry).map((name) => name.toLowerCase()) : [];
      for (const member of UNREAD_IN_ENTRIES) if (names.includes(member)) found.add(member);
    }
  }
  return [...found];
}

/**
 * The type whose layout a pull secret has in spite of its own: entries stand below `auths` in the one, and by themselves
 * in the other.
 */
export function layoutOf({ type, data }: PullSecret): string | undefined {
  if (type === LEGACY) {
    const document = parse(Buffer.from(data[".dockercfg"] ?? []).toString("utf8"));
    return isObject(document["auths"]) ? "kubernetes.io/dockerconfigjson" : undefined;
  }
  const document = parse(Buffer.from(data[".dockerconfigjson"] ?? []).toString("utf8"));
  const bare = Object.values(document).some(
    (entry) => isObject(entry) && ("auth" in entry || "username" in entry),
  );
  return document["auths"] === undefined && bare ? LEGACY : undefined;
}

const LEGACY = "kubernetes.io/dockercfg";

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const document: unknown = JSON.parse(text);
    return isObject(document) ? document : {};
  } catch {
    return {};
  }
}
