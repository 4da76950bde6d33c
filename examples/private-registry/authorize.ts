import type { Authorize, Decision } from "../../src/registry/index.ts";

const ASK = 'Basic realm="private"';

/**
 * Basic authentication in front of a registry: user `x` with password `x-pw` may pull what lies below `x/`, and
 * `builder` may do everything.
 */
export const authorize: Authorize = (request, access): Decision => {
  const user = userOf(request.header("authorization"));
  if (user === undefined) {
    return { allowed: false, status: 401, reason: "a user and their password are needed", challenge: ASK };
  }
  if (user === "builder") return { allowed: true };
  const own = access.every(
    ({ type, name, actions }) =>
      type === "repository" && name.startsWith(`${user}/`) && actions.every((action) => action === "pull"),
  );
  // Somebody else may: another credential is worth a try.
  if (!own) return { allowed: false, status: 401, reason: `not for ${user}`, challenge: ASK };
  return { allowed: true };
};

function userOf(header: string | undefined): string | undefined {
  const [, encoded] = /^basic +([a-z0-9+/=]+)$/i.exec(header ?? "") ?? [];
  if (encoded === undefined) return undefined;
  const [user, password] = Buffer.from(encoded, "base64").toString("utf8").split(":", 2);
  return user !== undefined && password === `${user}-pw` ? user : undefined;
}
