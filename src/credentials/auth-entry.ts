import type { Credential } from "./credential.ts";
import { CredentialsError } from "./errors.ts";
import { Secret } from "../internal/secret.ts";

/** One value of `auths`: `{"auth":"<base64 user:password>"}`, or a token, or both parts spelled out. */
export type AuthEntry = Readonly<Record<string, unknown>>;

/**
 * The credential of an entry; undefined for an empty one, which is what programs leave behind when the secret is
 * kept by a helper. `where` names the entry in an error.
 *
 * @throws CredentialsError `AUTH_INVALID`
 */
export function decodeAuthEntry(entry: AuthEntry, where: string): Credential | undefined {
  const registryToken = textOf(entry, "registrytoken", where);
  if (registryToken !== "") return { kind: "registry-token", token: new Secret(registryToken) };
  const identityToken = textOf(entry, "identitytoken", where);
  if (identityToken !== "") return { kind: "identity-token", token: new Secret(identityToken) };
  const auth = textOf(entry, "auth", where);
  if (auth !== "") {
    const { username, password } = decodeAuth(auth, where);
    return basicOrToken(username, password);
  }
  return basicOrToken(textOf(entry, "username", where), textOf(entry, "password", where));
}

/** `user:password` in base64, padded or not; a password loses the NUL bytes some writers pad with. */
export function decodeAuth(
  auth: string,
  where: string,
): { readonly username: string; readonly password: string } {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(auth) || auth.replace(/=+$/, "").length % 4 === 1) {
    throw new CredentialsError("AUTH_INVALID", `Cannot read ${where}: "auth" is not base64`);
  }
  const text = Buffer.from(auth, "base64").toString("utf8");
  const colon = text.indexOf(":");
  if (colon === -1) {
    throw new CredentialsError(
      "AUTH_INVALID",
      `Cannot read ${where}: "auth" is not "user:password" in base64, it has no colon`,
    );
  }
  return { username: text.slice(0, colon), password: trimNul(text.slice(colon + 1)) };
}

/** The entry for a credential, the inverse of {@link decodeAuthEntry}. */
export function encodeAuthEntry(credential: Credential): AuthEntry {
  switch (credential.kind) {
    case "basic":
      return {
        auth: Buffer.from(`${credential.username}:${credential.password.reveal()}`).toString("base64"),
      };
    case "identity-token":
      return { identitytoken: credential.token.reveal() };
    case "registry-token":
      return { registrytoken: credential.token.reveal() };
  }
}

/** A secret without a user is a refresh token; neither is nothing. */
export function basicOrToken(username: string, secret: string): Credential | undefined {
  if (username === "" && secret === "") return undefined;
  return username === "" || username === "<token>"
    ? { kind: "identity-token", token: new Secret(secret) }
    : { kind: "basic", username, password: new Secret(secret) };
}

function trimNul(text: string): string {
  let end = text.length;
  while (end > 0 && text.charCodeAt(end - 1) === 0) end--;
  return text.slice(0, end);
}

function textOf(entry: AuthEntry, name: string, where: string): string {
  const value = entry[name] ?? "";
  if (typeof value === "string") return value;
  throw new CredentialsError("AUTH_INVALID", `Cannot read ${where}: "${name}" is not a string`);
}
