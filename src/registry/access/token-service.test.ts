import assert from "node:assert/strict";
import { test } from "node:test";

import { Secret } from "../../internal/secret.ts";
import { AccessWorld, basic, bearer, CHEAP, type TokenAnswer } from "./testing.ts";
import { putUser } from "./users.ts";

const CONFIG = { realm: "registry.test", tokens: {} };
const FORM = { client_id: "test", service: "registry.test" };
const PASSWORD = { ...FORM, grant_type: "password", username: "alice", password: "ecila" };
const DAY = 86_400_000;

async function open(tokens: object = {}): Promise<AccessWorld> {
  return await AccessWorld.open({ ...CONFIG, tokens }, { users: ["alice"] });
}

async function answerOf(response: Response): Promise<TokenAnswer> {
  assert.equal(response.status, 200, await response.clone().text());
  assert.equal(response.headers.get("cache-control"), "no-store");
  return (await response.json()) as TokenAnswer;
}

test("GET answers the token under both names, and when it was issued", async () => {
  await using world = await open();
  const answer = await world.token("repository:a/b:pull", basic("alice"));
  assert.equal(answer.token, answer.access_token);
  assert.equal(answer.expires_in, 300);
  assert.equal(answer.issued_at, "2030-01-01T00:00:00.000Z");
  assert.equal(answer.refresh_token, undefined);
});

test("POST takes a password, and says which scopes were granted", async () => {
  await using world = await open();
  const scope = "repository:a/b:pull repository:c:push,sing unknown:x:y";
  const answer = await answerOf(await world.form({ ...PASSWORD, scope }));
  assert.equal(answer.scope, "repository:a/b:pull repository:c:push");
  assert.equal(answer.refresh_token, undefined);
  assert.equal((await world.send("GET", "/v2/", bearer(answer.access_token))).status, 200);
});

test("a refresh token stands for its password until that changes, or its time is over", async () => {
  await using world = await open({ refresh: "10d" });
  const offline = await answerOf(await world.form({ ...PASSWORD, access_type: "offline" }));
  const byGet = await world.token("", basic("alice"), { offline_token: "true" });
  const refresh = async (token: string | undefined): Promise<Response> =>
    await world.form({
      ...FORM,
      grant_type: "refresh_token",
      refresh_token: token ?? "",
      scope: "repository:a:pull",
    });
  for (const token of [offline.refresh_token, byGet.refresh_token]) {
    const answer = await answerOf(await refresh(token));
    assert.equal(answer.scope, "repository:a:pull");
    assert.equal(answer.refresh_token, undefined);
    const asPassword = await world.token("repository:a:pull", basic("<token>", token));
    assert.equal((await world.send("GET", "/v2/", bearer(asPassword.access_token))).status, 200);
  }
  world.pass(5 * DAY);
  const late = await answerOf(await world.form({ ...PASSWORD, access_type: "offline" }));
  world.pass(5 * DAY);
  assert.equal((await refresh(offline.refresh_token)).status, 401);
  assert.equal((await refresh(late.refresh_token)).status, 200);
  await putUser(world.store, "alice", { password: new Secret("another"), cost: CHEAP });
  const refused = await refresh(late.refresh_token);
  assert.equal(refused.status, 401);
  assert.equal(((await refused.json()) as { error: string }).error, "invalid_grant");
});

test("nobody in particular gets no refresh token", async () => {
  await using world = await open();
  const answer = await world.token("", {}, { offline_token: "true" });
  assert.equal(answer.refresh_token, undefined);
});

test("a token says nothing else than what it is asked to", async () => {
  await using world = await open();
  const { access_token: token } = await world.token("repository:a:pull", basic("alice"));
  const [header = {}, claims = {}] = token
    .split(".")
    .slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, "base64url").toString()) as Record<string, unknown>);
  assert.deepEqual(Object.keys(header).toSorted(), ["alg", "kid", "typ"]);
  const now = world.now / 1_000;
  const { jti, ...rest } = claims;
  assert.match(String(jti), /^[0-9a-f-]{36}$/);
  assert.deepEqual(rest, {
    iss: "registry.test",
    sub: "alice",
    aud: "registry.test",
    iat: now,
    nbf: now,
    exp: now + 300,
    access: [{ type: "repository", name: "a", actions: ["pull"] }],
  });
});

for (const [what, fields, status, error] of [
  ["no client_id", { client_id: "" }, 400, "invalid_request"],
  ["another service", { service: "elsewhere" }, 400, "invalid_request"],
  ["no service", { service: "" }, 400, "invalid_request"],
  ["another grant", { grant_type: "client_credentials" }, 400, "unsupported_grant_type"],
  ["no user", { username: "" }, 400, "invalid_request"],
  ["a wrong password", { password: "wrong" }, 401, "invalid_grant"],
  ["an unknown user", { username: "nobody" }, 401, "invalid_grant"],
  ["no refresh token", { grant_type: "refresh_token" }, 400, "invalid_request"],
  ["a wrong refresh token", { grant_type: "refresh_token", refresh_token: "x" }, 401, "invalid_grant"],
  ["a scope that is none", { scope: "repository" }, 400, "invalid_scope"],
] as const) {
  test(`POST with ${what} is refused`, async () => {
    await using world = await open();
    const answer = await world.form({ ...PASSWORD, ...fields });
    assert.equal(answer.status, status);
    assert.equal(((await answer.json()) as { error: string }).error, error);
  });
}

test("GET with what can't be is refused", async () => {
  await using world = await open();
  const status = async (path: string, headers = {}): Promise<number> =>
    (await world.send("GET", path, headers)).status;
  assert.equal(await status("/auth/token"), 400);
  assert.equal(await status("/auth/token?service=elsewhere"), 400);
  assert.equal(await status("/auth/token?service=registry.test&scope=x"), 400);
  const many = Array.from({ length: 300 }, (_, index) => `scope=repository:a${index}:pull`).join("&");
  assert.equal(await status(`/auth/token?service=registry.test&${many}`), 400);
  assert.equal(await status("/auth/token?service=registry.test", bearer("x")), 401);
  assert.equal((await world.send("PUT", "/auth/token")).status, 405);
  assert.equal(await status("/auth/other"), 404);
});

test("another registry can check our tokens by our keys, and keys are replaced in time", async () => {
  await using world = await open({ rotate: "30d", algorithm: "EdDSA" });
  const keys = async (): Promise<{ kid: string; alg: string; d?: string }[]> =>
    ((await (await world.send("GET", "/auth/jwks.json")).json()) as { keys: [] }).keys;
  const [first, ...none] = await keys();
  assert.deepEqual(none, []);
  assert.equal(first?.alg, "EdDSA");
  assert.equal(first.d, undefined);
  world.pass(30 * DAY - 1_000);
  const old = await world.token("", basic("alice"));
  world.pass(2_000);
  const young = await world.token("", basic("alice"));
  const kidOf = (answer: TokenAnswer): string =>
    (
      JSON.parse(Buffer.from(answer.access_token.split(".")[0] ?? "", "base64url").toString()) as {
        kid: string;
      }
    ).kid;
  assert.equal(kidOf(old), first.kid);
  assert.notEqual(kidOf(young), first.kid);
  assert.deepEqual(
    (await keys()).map((key) => key.kid),
    [first.kid, kidOf(young)],
  );
  for (const answer of [old, young]) {
    assert.equal((await world.send("GET", "/v2/", bearer(answer.access_token))).status, 200);
  }
  world.pass(30 * DAY);
  await world.token("", basic("alice"));
  const left = (await keys()).map((key) => key.kid);
  assert.equal(left.includes(first.kid), false);
  assert.equal(left.includes(kidOf(young)), true);
});
