import type { Authorize } from "../../src/registry/index.ts";

const ASK = 'Basic realm="quickstart"';

/** Who may pull what lies below `private/`, and who may push it, too. */
const PASSWORDS: ReadonlyMap<string, { readonly password: string; readonly pushes: boolean }> = new Map([
  ["me", { password: "me-pw", pushes: false }],
  ["builder", { password: "builder-pw", pushes: true }],
]);

/** Everything is open to everybody, but for what lies below `private/`. */
export const authorize: Authorize = (request, access) => {
  const wanted = access.filter(({ type, name }) => type === "repository" && name.startsWith("private/"));
  if (wanted.length === 0) return { allowed: true };
  const user = PASSWORDS.get(userOf(request.header("authorization")));
  const onlyPulls = wanted.every(({ actions }) => actions.every((action) => action === "pull"));
  if (user !== undefined && (user.pushes || onlyPulls)) return { allowed: true };
  return { allowed: false, status: 401, reason: "a user and their password are needed", challenge: ASK };
};

/** The user's name, where the password is right. */
function userOf(header: string | undefined): string {
  const [, encoded] = /^basic +([a-z0-9+/=]+)$/i.exec(header ?? "") ?? [];
  const [user = "", password] = Buffer.from(encoded ?? "", "base64")
    .toString("utf8")
    .split(":", 2);
  return PASSWORDS.get(user)?.password === password ? user : "";
}
