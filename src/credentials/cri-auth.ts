/** The credential the kubelet sends along with a pull, read as containerd reads it. */
import { CredentialsError } from "./errors.ts";
import { Secret } from "../internal/secret.ts";

export interface CriAuthConfig {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** Padded base64 of `user:password`. */
  readonly auth?: string | undefined;
  readonly serverAddress?: string | undefined;
  readonly identityToken?: string | undefined;
  /** Not supported by containerd: alone it means anonymous. */
  readonly registryToken?: string | undefined;
}

/** Both empty: anonymous. An empty user with a secret: the secret is an identity token. */
export interface UserSecret {
  readonly username: string;
  readonly secret: Secret;
}

/**
 * What to show `host`, the host contacted, with its port. A credential that names another server isn't for it.
 * @throws CredentialsError `AUTH_INVALID`
 */
export function criAuth(auth: CriAuthConfig | undefined, host: string): UserSecret {
  if (auth === undefined) return pair("", "");
  const { username = "", password = "", serverAddress = "", identityToken = "" } = auth;
  if (serverAddress !== "" && hostOfAddress(serverAddress) !== host) return pair("", "");
  if (username !== "") return pair(username, password);
  if (identityToken !== "") return pair("", identityToken);
  return auth.auth ? decode(auth.auth) : pair("", "");
}

function decode(auth: string): UserSecret {
  const text = auth.replaceAll(/[\r\n]/g, "");
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) {
    throw new CredentialsError(
      "AUTH_INVALID",
      'Cannot read the pull credential: "auth" is not padded base64',
    );
  }
  const decoded = Buffer.from(text, "base64").toString("utf8");
  const colon = decoded.indexOf(":");
  if (colon === -1) {
    throw new CredentialsError(
      "AUTH_INVALID",
      'Cannot read the pull credential: "auth" is not "user:password" in base64',
    );
  }
  return pair(decoded.slice(0, colon), trimNul(decoded.slice(colon + 1)));
}

/**
 * The host of a server's address, which must be a URL: `registry.io` and `registry.io:5000` are a path and a scheme to
 * a URL's grammar and so have none, and a first segment with a colon that is no scheme is no URL at all.
 */
function hostOfAddress(address: string): string {
  const beforeFragment = address.split("#")[0] ?? "";
  if (/\p{Cc}/u.test(address) || beforeFragment.startsWith(":")) throw notUrl();
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(beforeFragment)?.[0] ?? "";
  const rest = beforeFragment.slice(scheme.length).split("?")[0] ?? "";
  if (!rest.startsWith("/")) {
    if (scheme === "" && (rest.split("/")[0] ?? "").includes(":")) throw notUrl();
    return "";
  }
  if (!rest.startsWith("//")) return "";
  const authority = rest.slice(2).split("/")[0] ?? "";
  const host = authority.slice(authority.lastIndexOf("@") + 1);
  if (!/^(?:\[[^\][]*\]|[^:[\]\s<>"\\^`{|}]*)(?::\d*)?$/.test(host)) throw notUrl();
  return host;
}

function notUrl(): CredentialsError {
  // An address may hold a password, so it isn't quoted.
  return new CredentialsError(
    "AUTH_INVALID",
    "Cannot read the pull credential: its server address is not a URL",
  );
}

function trimNul(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && text.charCodeAt(start) === 0) start++;
  while (end > start && text.charCodeAt(end - 1) === 0) end--;
  return text.slice(start, end);
}

function pair(username: string, secret: string): UserSecret {
  return { username, secret: new Secret(secret) };
}
