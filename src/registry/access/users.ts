import type { Secret } from "../../internal/secret.ts";
import { RegistryError } from "../errors.ts";
import { ROBOT_PREFIX } from "./robots.ts";
import type { AccessStore } from "./store.ts";

export interface UserOptions {
  readonly password: Secret;
  /** Those that a user who is there already has, by default; none for a new one. */
  readonly groups?: readonly string[] | undefined;
  /** Of bcrypt; every step up doubles the time that a login takes. 10 by default. */
  readonly cost?: number | undefined;
}

/** bcrypt reads no further; what follows would protect nothing. */
const MAX_PASSWORD = 72;

/**
 * Adds a user, or gives one another password. A user of the same name in an htpasswd file comes first.
 *
 * @throws RegistryError `CONFIG_INVALID` for a name or password that can't be
 */
export async function putUser(store: AccessStore, name: string, options: UserOptions): Promise<void> {
  const { password, cost = 10 } = options;
  const fault = findFault(name, password);
  if (fault !== undefined) {
    throw new RegistryError("CONFIG_INVALID", `Cannot add user ${JSON.stringify(name)}: ${fault}`);
  }
  const { hash } = await import("bcryptjs");
  const passwordHash = await hash(password.reveal(), cost);
  // Another password is no reason to lose what groups may do.
  const groups = options.groups ?? (await store.findUser(name))?.groups ?? [];
  await store.putUser({ name, passwordHash, groups });
}

/** Deletes a user and all refresh tokens of theirs. Whether there was one. */
export async function deleteUser(store: AccessStore, name: string): Promise<boolean> {
  const deleted = await store.deleteUser(name);
  await store.deleteRefreshTokens(name);
  return deleted;
}

function findFault(name: string, password: Secret): string | undefined {
  if (name === "" || /[:\p{Cc}]/u.test(name)) return "a name is some text without colons";
  if (name.startsWith(ROBOT_PREFIX)) return `names that begin with "${ROBOT_PREFIX}" are for robots`;
  const length = Buffer.byteLength(password.reveal());
  if (length === 0 || length > MAX_PASSWORD) return `a password has 1 to ${MAX_PASSWORD} bytes`;
  return undefined;
}
