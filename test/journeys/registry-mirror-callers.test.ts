/** Content that callers brought here with credentials of their own is for nobody who can't show the same right. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";

import { Secret } from "../../src/credentials/index.ts";
import { digestOf } from "../../src/oci/index.ts";
import { accessBy, allowAll, SwitchableAccess } from "../../src/registry/index.ts";
import { openAccess, openSqliteAccessStore, putUser } from "../../src/registry/index.ts";
import type { AccessConfig, AccessControl } from "../../src/registry/index.ts";
import { FaultyUpstream, MINUTE, startMirror } from "./registry-mirror-upstream.ts";

const layer = randomBytes(500_000);

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}

const ALICE = basic("alice", "wonder");
const BOB = basic("bob", "builder");

/** An upstream where alice may pull private/app, bob only open/app, and everybody public/app. */
async function startGuarded(tokens: boolean): Promise<{ access: AccessControl; upstream: FaultyUpstream }> {
  const store = openSqliteAccessStore(":memory:");
  await putUser(store, "alice", { password: new Secret("wonder") });
  await putUser(store, "bob", { password: new Secret("builder") });
  await putUser(store, "admin", { password: new Secret("root") });
  const config: AccessConfig = {
    policies: [
      { repositories: ["**"], actions: ["pull", "push"], subjects: ["user:admin"] },
      { repositories: ["private/**"], actions: ["pull"], subjects: ["user:alice"] },
      { repositories: ["open/**"], actions: ["pull"], subjects: ["users"] },
      { repositories: ["public/**"], actions: ["pull"], subjects: ["everyone"] },
    ],
    lockOut: false,
    ...(tokens && { tokens: {} }),
  };
  const access = await openAccess(config, { store });
  const upstream = await FaultyUpstream.start({ access });
  const admin = { authorization: basic("admin", "root") };
  for (const name of ["private", "open", "public"])
    await upstream.pushImage(`${name}/app`, "1", layer, admin);
  return { access, upstream };
}

async function token(upstream: FaultyUpstream, login: string, repository: string): Promise<string> {
  const answer = await fetch(`${upstream.url}/auth/token?service=dray&scope=repository:${repository}:pull`, {
    headers: { authorization: login },
  });
  return `Bearer ${((await answer.json()) as { token: string }).token}`;
}

for (const tokens of [false, true]) {
  const kind = tokens ? "tokens" : "passwords";
  test(`private content is only for who may pull it there, cached or not (${kind})`, async () => {
    const { upstream, access } = await startGuarded(tokens);
    await using _upstream = upstream;
    await using _access = access;
    await using mirror = await startMirror(upstream, {
      upstream: { credentials: "callers", proof: "5m", negativeTtl: "0s" },
      // Open to everybody, and not to be recognised as such from outside.
      ...(tokens && { access: new SwitchableAccess(accessBy(allowAll), () => {}) }),
    });
    const digest = digestOf(layer);
    const ask = async (path: string, authorization?: string, method = "GET"): Promise<number> => {
      const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
      const answer = await fetch(`${mirror.url}/v2/${path}`, { headers, method });
      await answer.arrayBuffer();
      return answer.status;
    };
    const alice = tokens ? await token(upstream, ALICE, "private/app") : ALICE;
    const bob = tokens ? await token(upstream, BOB, "private/app") : BOB;
    assert.equal(await ask("hub/private/app/manifests/1", alice), 200);
    assert.equal(await ask(`hub/private/app/blobs/${digest}`, alice), 200);
    const manifest = (await upstream.metadata.findTag("private/app", "1"))?.digest ?? "";

    const paths = [
      "manifests/1",
      `manifests/${manifest}`,
      `blobs/${digest}`,
      "tags/list",
      `referrers/${digest}`,
    ];
    for (const path of paths) {
      for (const method of ["GET", "HEAD"]) {
        for (const who of [undefined, bob, basic("alice", "wrong"), "Bearer nonsense"]) {
          const status = await ask(`hub/private/app/${path}`, who, method);
          assert.ok([401, 403].includes(status), `${method} ${path} as ${who ?? "nobody"}: ${status}`);
          assert.equal(await ask(`private/app/${path}?ns=docker.io`, who, method), status);
        }
        assert.equal(await ask(`hub/private/app/${path}`, alice, method), 200, path);
      }
    }
    // Nor by another repository's name, by mounting, or in lists; and public content is public.
    assert.equal(await ask(`hub/public/app/blobs/${digest}`), 200);
    assert.equal(await ask("hub/public/app/manifests/1"), 200);
    assert.equal(
      await ask(`mine/app/blobs/uploads/?mount=${digest}&from=hub/private/app`, undefined, "POST"),
      202,
    );
    assert.equal(await ask(`mine/app/blobs/${digest}`), 404);
    assert.equal(await ask("hub/private/app/manifests/1", undefined, "DELETE"), 403);
    const catalog = await fetch(`${mirror.url}/v2/_catalog`);
    assert.deepEqual(await catalog.json(), { repositories: [] });
    assert.deepEqual(mirror.failures, []);

    // A right is believed for its time, even while the upstream is away, and no longer.
    upstream.script(() => ({ kind: "down" }));
    assert.equal(await ask("hub/private/app/manifests/1", alice), 200);
    assert.equal(await ask("hub/private/app/manifests/1", bob), 503);
    mirror.advance(6 * MINUTE);
    assert.equal(await ask(`hub/private/app/blobs/${digest}`, alice), 503);
  });
}

test("who is refused hears the upstream's own challenge", async () => {
  const { upstream, access } = await startGuarded(true);
  await using _upstream = upstream;
  await using _access = access;
  await using mirror = await startMirror(upstream, { upstream: { credentials: "callers" } });
  const answer = await fetch(`${mirror.url}/v2/private/app/manifests/1?ns=docker.io`);
  assert.equal(answer.status, 401);
  const challenge = answer.headers.get("www-authenticate") ?? "";
  assert.match(challenge, new RegExp(`^Bearer realm="${upstream.url}/auth/token",service="dray"`));
  assert.match(challenge, /scope="repository:private\/app:pull"/);
});

test("a right that was taken away is gone with the next question", async () => {
  await using upstream = await FaultyUpstream.start();
  await upstream.pushImage("app/x", "1", layer);
  await using mirror = await startMirror(upstream, { upstream: { credentials: "callers", ttl: "1m" } });
  const ask = async (path: string): Promise<number> =>
    (await fetch(`${mirror.url}/v2/hub/app/x/${path}`, { headers: { authorization: ALICE } })).status;
  assert.equal(await ask("manifests/1"), 200);
  upstream.script(() => ({ kind: "status", status: 403 }));
  mirror.advance(2 * MINUTE);
  assert.equal(await ask("manifests/1"), 403);
  // The refusal ended what was proven before: content by digest is refused, too.
  const { digest = "" } = (await upstream.metadata.findTag("app/x", "1")) ?? {};
  assert.equal(await ask(`manifests/${digest}`), 403);
});

test("a caller's credentials go to the upstream alone, and logins of ours never do", async () => {
  await using upstream = await FaultyUpstream.start();
  await upstream.pushImage("app/x", "1", layer);
  await upstream.pushImage("app/y", "1", layer);
  const store = openSqliteAccessStore(":memory:");
  await putUser(store, "carol", { password: new Secret("local") });
  const guesses: unknown[] = [];
  const config: AccessConfig = {
    policies: [
      { repositories: ["own/**"], actions: ["pull"], subjects: ["user:carol"] },
      { repositories: ["hub/app/x"], actions: ["pull"], subjects: ["everyone"] },
    ],
    lockOut: { account: 1, address: 1 },
  };
  await using access = await openAccess(config, { store, onLoginFailed: (event) => guesses.push(event) });
  const shared = { url: upstream.url };
  await using mirror = await startMirror(upstream, {
    access,
    config: {
      upstreams: [
        { registry: "docker.io", prefix: "hub", credentials: "callers", ...shared },
        { registry: "r.example", prefix: "own", ...shared },
      ],
    },
  });
  const ask = async (path: string, authorization?: string): Promise<number> => {
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    return (await fetch(`${mirror.url}/v2/${path}`, { headers })).status;
  };
  upstream.script(({ authorization }) =>
    authorization === ALICE
      ? undefined
      : { kind: "status", status: 401, headers: { "www-authenticate": 'Basic realm="there"' } },
  );
  for (let times = 0; times < 5; times++) assert.equal(await ask("hub/app/y/manifests/1", BOB), 401);
  assert.equal(await ask("hub/app/y/manifests/1", ALICE), 200);
  assert.deepEqual(guesses, []);
  // Whom our own policy lets, without a login of the upstream, is served what is here.
  assert.equal(await ask("hub/app/x/manifests/1", ALICE), 200);
  assert.equal(await ask("hub/app/x/manifests/1"), 200);
  assert.equal(await ask("hub/app/y/manifests/1"), 401);

  upstream.asked.length = 0;
  upstream.script();
  const carol = basic("carol", "local");
  assert.equal(await ask("own/app/y/manifests/1", carol), 200);
  assert.equal(await ask("own/app/y/manifests/1"), 401);
  assert.equal(upstream.asked.length, 1);
  assert.ok(upstream.asked.every(({ authorization }) => authorization === undefined));
});

test("who joins what another caller began fetching has to have the right, too", async () => {
  const { upstream, access } = await startGuarded(false);
  await using _upstream = upstream;
  await using _access = access;
  const release = Promise.withResolvers<void>();
  upstream.script(({ method, url, authorization }) =>
    method === "GET" && url.includes("/blobs/") && authorization === ALICE
      ? { kind: "hold", after: 100_000, until: release.promise }
      : undefined,
  );
  await using mirror = await startMirror(upstream, { upstream: { credentials: "callers" } });
  const url = `${mirror.url}/v2/hub/private/app/blobs/${digestOf(layer)}`;
  const alice = await fetch(url, { headers: { authorization: ALICE } });
  assert.equal(alice.status, 200);
  const others = await Promise.all([fetch(url), fetch(url, { headers: { authorization: BOB } })]);
  assert.deepEqual(
    others.map(({ status }) => status),
    [401, 403],
  );
  const elsewhere = `${mirror.url}/v2/hub/open/app/blobs/${digestOf(layer)}`;
  assert.equal((await fetch(elsewhere)).status, 401);
  const bob = await fetch(elsewhere, { headers: { authorization: BOB } });
  assert.equal(bob.status, 200);
  release.resolve();
  for (const answer of [alice, bob]) assert.deepEqual(Buffer.from(await answer.bytes()), layer);
});
