import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { codesOf } from "../testing.ts";
import type { AccessConfig } from "./config.ts";
import { createRobot } from "./robots.ts";
import { AccessWorld, basic, bearer } from "./testing.ts";

const POLICIES: NonNullable<AccessConfig["policies"]> = [
  { repositories: ["public/**"], actions: ["pull"], subjects: ["everyone"] },
  { repositories: ["**"], actions: ["pull", "push", "delete"], subjects: ["user:root"] },
  { repositories: ["team/**"], actions: ["pull", "push"], subjects: ["user:alice", "robot:ci"] },
  { repositories: ["other/**"], actions: ["pull", "push"], subjects: ["user:bob"] },
  { effect: "deny", repositories: ["team/secret"], actions: ["pull"], subjects: ["user:alice"] },
];
const USERS = ["root", "alice", "bob"];
const WITH_TOKENS: AccessConfig = { realm: "registry.test", policies: POLICIES, tokens: {} };

describe("with passwords", () => {
  const open = (): Promise<AccessWorld> =>
    AccessWorld.open({ realm: "registry.test", policies: POLICIES }, { users: USERS });

  test("/v2/ asks everybody who they are", async () => {
    await using world = await open();
    const probe = await world.send("GET", "/v2/");
    assert.equal(probe.status, 401);
    assert.equal(probe.headers.get("www-authenticate"), 'Basic realm="registry.test"');
    assert.deepEqual(await codesOf(probe), ["UNAUTHORIZED"]);
    assert.equal((await world.send("GET", "/v2/", basic("alice"))).status, 200);
    assert.equal((await world.send("GET", "/v2/", basic("alice", "wrong"))).status, 401);
    assert.equal((await world.send("GET", "/v2/", basic("nobody"))).status, 401);
    assert.equal((await world.send("GET", "/v2/", basic("", ""))).status, 401);
  });

  test("401 asks for other credentials, 403 says that these will never do", async () => {
    await using world = await open();
    await world.fill("team/app", basic("root"));
    await world.fill("public/app", basic("root"));
    const get = async (path: string, headers = {}): Promise<number> =>
      (await world.send("GET", path, headers)).status;
    assert.equal(await get("/v2/public/app/manifests/1"), 200);
    assert.equal(await get("/v2/public/app/manifests/1", basic("", "")), 200);
    assert.equal(await get("/v2/public/app/manifests/1", basic("bob", "wrong")), 401);
    assert.equal(await get("/v2/team/app/manifests/1"), 401);
    assert.equal(await get("/v2/team/app/manifests/1", basic("alice")), 200);
    assert.equal(await get("/v2/team/app/manifests/1", basic("bob")), 403);
    // What isn't there is refused in the same words.
    const [there, missing] = [
      await world.send("GET", "/v2/team/app/tags/list", basic("bob")),
      await world.send("GET", "/v2/team/not/tags/list", basic("bob")),
    ];
    assert.equal(missing.status, 403);
    assert.equal(
      await there.text(),
      (await missing.text()).replace("team/not", "team/app").replace("team/not", "team/app"),
    );
    assert.equal(await get("/v2/team/secret/manifests/1", basic("alice")), 403);
    assert.equal((await world.send("DELETE", "/v2/team/app/manifests/1", basic("alice"))).status, 403);
    assert.equal((await world.send("DELETE", "/v2/team/app/manifests/1", basic("root"))).status, 202);
  });

  test("lists show what may be pulled, and pages are of that alone", async () => {
    await using world = await open();
    for (const name of ["a/1", "public/1", "public/2", "team/1", "team/2", "team/secret", "zoo"]) {
      await world.fill(name, basic("root"));
    }
    const list = async (path: string, headers = {}): Promise<[string[], string | null]> => {
      const answer = await world.send("GET", path, headers);
      assert.equal(answer.status, 200, path);
      const { repositories } = (await answer.json()) as { repositories: string[] };
      return [repositories, answer.headers.get("link")];
    };
    // A client that logs in only when asked to would take the list for nobody as its own.
    assert.equal((await world.send("GET", "/v2/_catalog")).status, 401);
    const alices = ["public/1", "public/2", "team/1", "team/2"];
    assert.deepEqual(await list("/v2/_catalog", basic("alice")), [alices, null]);
    const [first, link] = await list("/v2/_catalog?n=3", basic("alice"));
    assert.deepEqual(first, alices.slice(0, 3));
    assert.equal(link, '</v2/_catalog?last=team%2F1&n=3>; rel="next"');
    assert.deepEqual(await list("/v2/_catalog?n=3&last=team/1", basic("alice")), [["team/2"], null]);
    // The place of what isn't seen isn't told either.
    assert.deepEqual(await list("/v2/_catalog?n=2&last=public/2", basic("alice")), [alices.slice(2), null]);
    assert.deepEqual((await list("/v2/_catalog", basic("root")))[0].length, 7);
    assert.deepEqual(await list("/v2/_catalog", basic("bob")), [["public/1", "public/2"], null]);
  });

  test("a blob is mounted only from where the caller may pull", async () => {
    await using world = await open();
    const digest = await world.fill("team/app", basic("root"));
    const mount = async (login: string, to: string, from?: string): Promise<number> => {
      const source = from === undefined ? "" : `&from=${from}`;
      const path = `/v2/${to}/blobs/uploads/?mount=${digest}${source}`;
      return (await world.send("POST", path, basic(login))).status;
    };
    assert.equal(await mount("bob", "other/app", "team/app"), 202);
    assert.equal(await mount("bob", "other/app"), 202);
    assert.equal((await world.send("GET", `/v2/other/app/blobs/${digest}`, basic("bob"))).status, 404);
    assert.equal(await mount("bob", "team/app", "other/app"), 403);
    assert.equal(await mount("alice", "team/two", "team/app"), 201);
    assert.equal(await mount("alice", "team/three"), 201);
    // However many others show it first.
    for (let index = 0; index < 30; index++) await mount("root", `hidden/${index}`, "team/app");
    assert.equal(await mount("alice", "team/four"), 201);
  });

  test("without policies, who has a login may do everything, and nobody else anything", async () => {
    await using world = await AccessWorld.open({}, { users: ["alice"] });
    await world.fill("any/thing", basic("alice"));
    assert.equal((await world.send("GET", "/v2/any/thing/manifests/1")).status, 401);
    assert.equal((await world.send("GET", "/v2/_catalog")).status, 401);
    const { login, secret } = await createRobot(world.store, "ci");
    const robots = await world.send("GET", "/v2/any/thing/manifests/1", basic(login, secret.reveal()));
    assert.equal(robots.status, 403, "a robot may do what somebody says it may");
  });

  test("a changed password and a deleted user are seen by the next request", async () => {
    await using world = await open();
    assert.equal((await world.send("GET", "/v2/", basic("alice"))).status, 200);
    await world.store.deleteUser("alice");
    assert.equal((await world.send("GET", "/v2/", basic("alice"))).status, 401);
  });

  test("a login doesn't join one that began before its account changed", async () => {
    await using world = await open();
    const before = world.send("GET", "/v2/", basic("alice"));
    // Her account has been read, and the thread for passwords has to start first.
    await new Promise(setImmediate);
    await world.store.deleteUser("alice");
    assert.equal((await world.send("GET", "/v2/", basic("alice"))).status, 401);
    assert.equal((await before).status, 200);
    assert.equal((await world.send("GET", "/v2/", basic("alice"))).status, 401);
  });
});

describe("with tokens", () => {
  const open = (): Promise<AccessWorld> => AccessWorld.open(WITH_TOKENS, { users: USERS });

  test("challenges say where to get a token, and for what", async () => {
    await using world = await open();
    const challenge = async (method: string, path: string, headers = {}): Promise<string | null> => {
      const answer = await world.send(method, path, headers);
      assert.equal(answer.status, 401);
      return answer.headers.get("www-authenticate");
    };
    const start = 'Bearer realm="http://registry/auth/token",service="registry.test"';
    assert.equal(await challenge("GET", "/v2/"), start);
    assert.equal(
      await challenge("GET", "/v2/team/app/manifests/1"),
      `${start},scope="repository:team/app:pull"`,
    );
    const push = `${start},scope="repository:team/app:pull,push"`;
    assert.equal(await challenge("POST", "/v2/team/app/blobs/uploads/"), push);
    assert.equal(await challenge("PUT", "/v2/team/app/manifests/1"), push);
    assert.equal(
      await challenge("DELETE", "/v2/team/app/manifests/1"),
      `${start},scope="repository:team/app:delete"`,
    );
    const { token } = await world.token("repository:team/app:pull", basic("alice"));
    assert.equal(
      await challenge("PUT", "/v2/team/app/manifests/1", bearer(token ?? "")),
      `${push},error="insufficient_scope"`,
    );
    assert.equal(await challenge("GET", "/v2/", bearer("x.y.z")), `${start},error="invalid_token"`);
    const forwarded = { "X-Forwarded-Proto": "https", "X-Forwarded-Host": "images.example.com, inner" };
    const realm = await challenge("GET", "/v2/", forwarded);
    assert.match(realm ?? "", /realm="https:\/\/images\.example\.com\/auth\/token"/);
    const body = (await (await world.send("GET", "/v2/team/app/manifests/1")).json()) as {
      errors: { detail: unknown }[];
    };
    const wanted = [{ Type: "repository", Class: "", Name: "team/app", Action: "pull" }];
    assert.deepEqual(body.errors[0]?.detail, wanted);
  });

  test("a token grants what was asked and what the policy allows", async () => {
    await using world = await open();
    await world.fill("team/app", basic("root"));
    const asked = "repository:team/app:pull,push,delete repository:other/app:pull registry:catalog:* x:y:z";
    const { token = "" } = await world.token(asked, basic("alice"));
    const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as {
      access: unknown;
    };
    assert.deepEqual(claims.access, [
      { type: "repository", name: "team/app", actions: ["pull", "push"] },
      { type: "registry", name: "catalog", actions: ["*"] },
    ]);
    assert.equal((await world.send("GET", "/v2/team/app/manifests/1", bearer(token))).status, 200);
    assert.equal((await world.send("DELETE", "/v2/team/app/manifests/1", bearer(token))).status, 403);
    assert.equal((await world.send("GET", "/v2/other/app/manifests/1", bearer(token))).status, 403);
    assert.equal((await world.send("GET", "/v2/public/app/tags/list", bearer(token))).status, 401);
    assert.deepEqual(await (await world.send("GET", "/v2/_catalog", bearer(token))).json(), {
      repositories: ["team/app"],
    });
    const everything = await world.token("repository:team/app:*", basic("root"));
    const deleted = await world.send("DELETE", "/v2/team/app/manifests/1", bearer(everything.access_token));
    assert.equal(deleted.status, 202);
  });

  test("an anonymous token is good for what everyone may", async () => {
    await using world = await open();
    await world.fill("public/app", basic("root"));
    const { token = "" } = await world.token("repository:public/app:pull,push repository:team/app:pull");
    assert.equal((await world.send("GET", "/v2/", bearer(token))).status, 200);
    assert.equal((await world.send("GET", "/v2/public/app/manifests/1", bearer(token))).status, 200);
    const push = await world.send("POST", "/v2/public/app/blobs/uploads/", bearer(token));
    assert.equal(push.status, 401);
    assert.match(push.headers.get("www-authenticate") ?? "", /error="insufficient_scope"/);
    const lister = await world.token("registry:catalog:*");
    const list = await world.send("GET", "/v2/_catalog", bearer(lister.access_token));
    assert.deepEqual(await list.json(), { repositories: ["public/app"] });
    const wrong = await world.send("GET", "/auth/token?service=registry.test", basic("alice", "wrong"));
    assert.equal(wrong.status, 401);
  });

  test("a token ends with its time, with its user, and with the user's right", async () => {
    await using world = await open();
    await world.fill("team/app", basic("root"));
    const answer = await world.token("repository:team/app:pull", basic("alice"));
    assert.equal(answer.expires_in, 300);
    assert.equal(answer.issued_at, new Date(world.now).toISOString());
    const get = async (): Promise<number> =>
      (await world.send("GET", "/v2/team/app/manifests/1", bearer(answer.access_token))).status;
    assert.equal(await get(), 200);
    world.pass(359_000);
    assert.equal(await get(), 200, "clocks may differ by a minute");
    world.pass(2_000);
    assert.equal(await get(), 401);
    const { access_token: second } = await world.token("repository:team/app:pull", basic("alice"));
    assert.equal((await world.send("GET", "/v2/team/app/manifests/1", bearer(second))).status, 200);
    await world.store.deleteUser("alice");
    assert.equal((await world.send("GET", "/v2/team/app/manifests/1", bearer(second))).status, 401);
  });

  test("a mount whose source the token doesn't name is worth one more token", async () => {
    await using world = await open();
    const digest = await world.fill("team/app", basic("root"));
    const mount = async (token: string, query: string): Promise<Response> =>
      await world.send("POST", `/v2/${query}`, bearer(token));
    const { token: narrow = "" } = await world.token("repository:team/two:pull,push", basic("alice"));
    const path = `team/two/blobs/uploads/?mount=${digest}`;
    const answer = await mount(narrow, `${path}&from=team/app`);
    assert.equal(answer.status, 401);
    assert.match(
      answer.headers.get("www-authenticate") ?? "",
      /scope="repository:team\/two:pull,push repository:team\/app:pull",error="insufficient_scope"/,
    );
    assert.equal((await mount(narrow, path)).status, 202, "without a source, the token's are all there are");
    const wide = "repository:team/two:pull,push repository:team/app:pull";
    const { token = "" } = await world.token(wide, basic("alice"));
    assert.equal((await mount(token, `${path}&from=team/app`)).status, 201);
    assert.equal((await mount(token, path)).status, 201);
    const bobs = await world.token("repository:other/app:pull,push repository:team/app:pull", basic("bob"));
    const other = `other/app/blobs/uploads/?mount=${digest}`;
    assert.equal((await mount(bobs.access_token, `${other}&from=team/app`)).status, 202);
    assert.equal((await mount(bobs.access_token, other)).status, 202);
  });

  test("a client that repeats a mount once, with what the challenge named, is done", async () => {
    await using world = await open();
    const digest = await world.fill("team/app", basic("root"));
    const other = await world.token("repository:team/elsewhere:pull", basic("alice"));
    for (const first of [undefined, bearer(other.access_token)]) {
      for (const [query, expected] of [
        [`?mount=${digest}&from=team/app`, 201],
        [`?mount=${digest}&from=other/app`, 202],
        [`?mount=${digest}&from=team/two`, 202],
        [`?mount=${digest}&from=NONE`, 202],
        [`?mount=${digest}`, 202],
      ] as const) {
        const path = `/v2/team/two/blobs/uploads/${query}`;
        const refused = await world.send("POST", path, first);
        assert.equal(refused.status, 401, query);
        const scope = /scope="([^"]+)"/.exec(refused.headers.get("www-authenticate") ?? "")?.[1] ?? "";
        const { access_token: token } = await world.token(scope, basic("alice"));
        assert.equal((await world.send("POST", path, bearer(token))).status, expected, query);
        await world.send("DELETE", `/v2/team/two/blobs/${digest}`, basic("root"));
      }
    }
  });
});
