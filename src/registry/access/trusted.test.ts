import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { calculateJwkThumbprint, SignJWT, UnsecuredJWT, type JWK, type JWTHeaderParameters } from "jose";

import type { RegistryError } from "../errors.ts";
import type { AccessConfig, TrustedConfig } from "./config.ts";
import { openAccess } from "./open.ts";
import { AccessWorld, basic, bearer } from "./testing.ts";

const folder = await mkdtemp(join(tmpdir(), "dray-trusted-"));
after(() => rm(folder, { recursive: true }));

const ISSUER = "https://issuer.test";
const NOW = Date.UTC(2030, 0, 1) / 1_000;
const TRUSTED: TrustedConfig = {
  issuer: ISSUER,
  audience: "registry.test",
  jwks: join(folder, "keys.json"),
  realm: "https://issuer.test/token",
};

type Key = { readonly alg: string; readonly privateKey: KeyObject; readonly jwk: JWK };

function makeKey(alg: "ES256" | "RS256" | "PS512" | "ES384" | "EdDSA"): Key {
  const { privateKey } =
    alg === "ES256" || alg === "ES384"
      ? generateKeyPairSync("ec", { namedCurve: alg === "ES256" ? "P-256" : "P-384" })
      : alg === "EdDSA"
        ? generateKeyPairSync("ed25519")
        : generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { alg, privateKey, jwk: createPublicKey(privateKey).export({ format: "jwk" }) as JWK };
}

async function sign(
  key: Key,
  claims: Readonly<Record<string, unknown>> = {},
  header: Partial<JWTHeaderParameters> = {},
): Promise<string> {
  const kid = await calculateJwkThumbprint(key.jwk);
  const payload = {
    iss: ISSUER,
    aud: "registry.test",
    sub: "octo",
    iat: NOW,
    nbf: NOW,
    exp: NOW + 300,
    access: [{ type: "repository", name: "team/app", actions: ["pull"] }],
    ...claims,
  };
  return await new SignJWT(payload).setProtectedHeader({ alg: key.alg, kid, ...header }).sign(key.privateKey);
}

async function publish(path: string, ...keys: readonly object[]): Promise<void> {
  await writeFile(path, JSON.stringify({ keys }));
}

async function open(trusted: Partial<TrustedConfig> = {}, more: AccessConfig = {}): Promise<AccessWorld> {
  const world = await AccessWorld.open(
    { policies: [], ...more, trusted: [{ ...TRUSTED, ...trusted }] },
    { users: ["root"] },
  );
  return world;
}

async function probe(world: AccessWorld, token: string, path = "/v2/"): Promise<number> {
  return (await world.send("GET", path, bearer(token))).status;
}

test("tokens of another issuer are taken, with every algorithm anybody can check", async () => {
  const keys = (["ES256", "ES384", "RS256", "PS512", "EdDSA"] as const).map(makeKey);
  await publish(join(folder, "all.json"), ...keys.map((key) => key.jwk));
  await using world = await open({ jwks: join(folder, "all.json") });
  for (const key of keys) assert.equal(await probe(world, await sign(key)), 200, key.alg);
  assert.deepEqual(world.failures, []);
});

test("its claims say what its bearer may do", async () => {
  const key = makeKey("ES256");
  await publish(TRUSTED.jwks as string, key.jwk);
  const root = { repositories: ["**"], actions: ["pull", "push"], subjects: ["user:root"] } as const;
  await using world = await open({}, { policies: [root] });
  await world.fill("team/app", basic("root"));
  await world.fill("team/other", basic("root"));
  const token = await sign(key);
  assert.equal(await probe(world, token, "/v2/team/app/manifests/1"), 200);
  assert.equal(await probe(world, token, "/v2/_catalog"), 401);
  const refused = await world.send("GET", "/v2/team/other/manifests/1", bearer(token));
  assert.equal(refused.status, 401);
  assert.equal(
    refused.headers.get("www-authenticate"),
    'Bearer realm="https://issuer.test/token",service="registry.test",scope="repository:team/other:pull",' +
      'error="insufficient_scope"',
  );
  assert.equal(await probe(world, await sign(key, { access: "pull" }), "/v2/team/app/manifests/1"), 401);
  const lister = await sign(key, { access: [{ type: "registry", name: "catalog", actions: ["*"] }] });
  const list = await world.send("GET", "/v2/_catalog", bearer(lister));
  assert.deepEqual(await list.json(), { repositories: ["team/app", "team/other"] });
});

test("a mount asks another issuer's caller once for a better token, then goes on without", async () => {
  const key = makeKey("ES256");
  await publish(TRUSTED.jwks as string, key.jwk);
  const root = { repositories: ["**"], actions: ["pull", "push"], subjects: ["user:root"] } as const;
  await using world = await open({}, { policies: [root] });
  const digest = await world.fill("team/app", basic("root"));
  const access = [{ type: "repository", name: "mine", actions: ["pull", "push"] }];
  const path = `/v2/mine/blobs/uploads/?mount=${digest}&from=team/app`;
  const mount = async (jti: string): Promise<number> =>
    (await world.send("POST", path, bearer(await sign(key, { access, jti })))).status;
  assert.equal(await mount("1"), 401);
  assert.equal(await mount("2"), 202);
  const both = [...access, { type: "repository", name: "team/app", actions: ["pull"] }];
  assert.equal((await world.send("POST", path, bearer(await sign(key, { access: both })))).status, 201);
});

test("or the policies here do, about the user and groups it names", async () => {
  const key = makeKey("ES256");
  await publish(TRUSTED.jwks as string, key.jwk);
  const policies = [
    { repositories: ["**"], actions: ["pull", "push"], subjects: ["user:root"] },
    { repositories: ["team/**"], actions: ["pull"], subjects: ["group:dev"] },
    { repositories: ["users/{user}/**"], actions: ["pull"], subjects: ["user:ext-octo"] },
  ] as const;
  await using world = await open({ decides: "policies", prefix: "ext-", groups: "teams" }, { policies });
  for (const name of ["team/app", "users/ext-octo/x", "root"]) await world.fill(name, basic("root"));
  const get = async (claims: object, name: string): Promise<number> =>
    await probe(world, await sign(key, { access: undefined, ...claims }), `/v2/${name}/manifests/1`);
  assert.equal(await get({}, "team/app"), 403);
  assert.equal(await get({ teams: ["dev"] }, "team/app"), 200);
  assert.equal(await get({}, "users/ext-octo/x"), 200);
  assert.equal(await get({ sub: "root" }, "root"), 403, "a root elsewhere is no root here");
  const narrow = { teams: ["dev"], access: [{ type: "repository", name: "x", actions: ["pull"] }] };
  assert.equal(await get(narrow, "team/app"), 401, "a token that says less gives less");
});

test("a new key is found when a token names it; an old one ends when it is withdrawn", async () => {
  const [old, young] = [makeKey("ES256"), makeKey("ES256")];
  const answers: (() => Response)[] = [];
  let asked = 0;
  let keys: JWK[] = [old.jwk];
  const fetch = async (): Promise<Response> => {
    asked++;
    return answers.shift()?.() ?? Response.json({ keys });
  };
  const config = { policies: [], trusted: [{ ...TRUSTED, jwks: "https://issuer.test/jwks.json" }] };
  await using world = await AccessWorld.open(config, { fetch });
  assert.equal(asked, 0, "nobody is asked before there is a token");
  const far = { exp: NOW + 86_400 };
  const first = await sign(old, far);
  assert.equal(await probe(world, first), 200);
  keys = [young.jwk];
  assert.equal(await probe(world, await sign(young, far)), 200, "however soon after the last reading");
  assert.equal(asked, 2);
  const next = makeKey("ES256");
  for (const stranger of [next, makeKey("ES256"), makeKey("RS256")]) {
    assert.equal(await probe(world, await sign(stranger, far)), 401);
  }
  assert.equal(asked, 2, "not for each of them within five seconds");
  keys = [young.jwk, next.jwk];
  world.pass(5_000);
  assert.equal(await probe(world, await sign(next, far)), 200);
  assert.equal(asked, 3);
  assert.equal(await probe(world, first), 200, "remembered, for ten minutes at most");
  world.pass(600_000);
  assert.equal(await probe(world, first), 401);
  // While the issuer is away, the keys we have do.
  world.pass(3_600_000);
  answers.push(() => new Response("", { status: 503 }));
  assert.equal(await probe(world, await sign(young, far)), 200);
});

test("while an issuer's keys can't be had, its tokens aren't taken, and we are told", async () => {
  let [asked, status] = [0, 503];
  const key = makeKey("ES256");
  const fetch = async (): Promise<Response> => {
    asked++;
    return Response.json({ keys: [key.jwk] }, { status });
  };
  const config = { policies: [], trusted: [{ ...TRUSTED, jwks: "https://issuer.test/jwks.json" }] };
  await using world = await AccessWorld.open(config, { fetch });
  for (let index = 0; index < 3; index++) assert.equal(await probe(world, await sign(key)), 401);
  assert.match((world.failures[0] as RegistryError).message, /Cannot read keys from .*: it answers 503/);
  assert.equal(asked, 1, "nobody who is down is asked for every token");
  status = 200;
  world.pass(10_000);
  assert.equal(await probe(world, await sign(key)), 200);
});

test("keys without an id go by their thumbprint, others by theirs; PEM files will do", async () => {
  const key = makeKey("ES256");
  await publish(join(folder, "named.json"), { ...key.jwk, kid: "ABCD:EFGH" });
  await using named = await open({ jwks: join(folder, "named.json") });
  assert.equal(await probe(named, await sign(key, {}, { kid: "ABCD:EFGH" })), 200);
  assert.equal(await probe(named, await sign(key, {}, { kid: "other" })), 401);
  const pem = createPublicKey(key.privateKey).export({ type: "spki", format: "pem" });
  await writeFile(join(folder, "keys.pem"), pem);
  await using fromPem = await open({ jwks: join(folder, "keys.pem") });
  assert.equal(await probe(fromPem, await sign(key)), 200);
  assert.equal(await probe(fromPem, await sign(key, {}, { kid: "x", jwk: key.jwk })), 200);
  const stranger = makeKey("ES256");
  assert.equal(await probe(fromPem, await sign(stranger, {}, { jwk: stranger.jwk })), 401);
});

test("what isn't signed by the issuer for us and for now is refused", async () => {
  const [key, stranger] = [makeKey("RS256"), makeKey("RS256")];
  await publish(TRUSTED.jwks as string, key.jwk);
  await using world = await open();
  const kid = await calculateJwkThumbprint(key.jwk);
  const refused = async (token: string, why: string): Promise<void> =>
    assert.equal(await probe(world, token), 401, why);
  assert.equal(await probe(world, await sign(key)), 200);
  await refused(await sign(stranger, {}, { kid }), "another key under its id");
  await refused(await sign(key, { iss: "https://other.test" }), "another issuer");
  await refused(await sign(key, { aud: "other" }), "another audience");
  assert.equal(await probe(world, await sign(key, { aud: ["other", "registry.test"] })), 200);
  assert.equal(await probe(world, await sign(key, { exp: NOW - 59 })), 200, "clocks differ");
  await refused(await sign(key, { exp: NOW - 61 }), "too old");
  assert.equal(await probe(world, await sign(key, { nbf: NOW + 60 })), 200, "clocks differ");
  await refused(await sign(key, { nbf: NOW + 62 }), "too young");
  await refused(await sign(key, { exp: undefined }), "endless");
  const claims = { iss: ISSUER, aud: "registry.test", sub: "x", exp: NOW + 300 };
  await refused(new UnsecuredJWT(claims).encode(), "unsigned");
  const pem = createPublicKey(key.privateKey).export({ type: "spki", format: "pem" }).toString();
  const forged = await new SignJWT(claims).setProtectedHeader({ alg: "HS256", kid }).sign(Buffer.from(pem));
  await refused(forged, "signed with the public key as a secret");
  const [head, , signature] = (await sign(key)).split(".");
  const altered = Buffer.from(JSON.stringify({ ...claims, sub: "root" })).toString("base64url");
  await refused(`${head}.${altered}.${signature}`, "altered");
  for (const garbage of ["x", "..", "a.b.c", "e30.e30.e30"]) await refused(garbage, garbage);
  assert.deepEqual(world.failures, []);
});

/** Good for twenty years: a root, what it signed, and so on; `odd` by a certificate that may not sign. */
async function makeChain(): Promise<{
  readonly leafKey: KeyObject;
  readonly der: (...names: string[]) => string[];
}> {
  const openssl = (line: string): Buffer =>
    execFileSync("openssl", line.split(" "), { cwd: folder, stdio: "pipe" });
  const request = "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
  openssl(
    `${request} -x509 -days 7300 -subj /CN=root -keyout root.key -out root.crt -addext keyUsage=keyCertSign`,
  );
  await writeFile(join(folder, "middle.ext"), "basicConstraints=CA:TRUE");
  await writeFile(join(folder, "leaf.ext"), "basicConstraints=CA:FALSE");
  for (const [name, by, kind] of [
    ["middle", "root", "middle"],
    ["leaf", "middle", "leaf"],
    ["odd", "leaf", "leaf"],
  ] as const) {
    openssl(`${request} -subj /CN=${name} -keyout ${name}.key -out ${name}.csr`);
    const signer = `-CA ${by}.crt -CAkey ${by}.key -CAcreateserial -extfile ${kind}.ext`;
    openssl(`x509 -req -days 7300 -in ${name}.csr -out ${name}.crt ${signer}`);
  }
  const ders = new Map(
    ["root", "middle", "leaf", "odd"].map((name) => [name, openssl(`x509 -in ${name}.crt -outform der`)]),
  );
  return {
    leafKey: createPrivateKey(await readFile(join(folder, "leaf.key"))),
    der: (...names) => names.map((name) => ders.get(name)?.toString("base64") ?? ""),
  };
}

const skip = spawnSync("openssl", ["version"]).error !== undefined && "no openssl to make certificates with";

test("a token may bring certificates that end in a root of ours", { skip }, async () => {
  const { leafKey, der } = await makeChain();
  const roots: AccessConfig = {
    policies: [],
    trusted: [{ issuer: ISSUER, audience: "registry.test", roots: join(folder, "root.crt"), realm: ISSUER }],
  };
  await using world = await AccessWorld.open(roots);
  const signed = async (x5c: string[], key = leafKey): Promise<string> =>
    await new SignJWT({ iss: ISSUER, aud: "registry.test", sub: "x", exp: world.now / 1_000 + 300 })
      .setProtectedHeader({ alg: "ES256", x5c })
      .sign(key);
  assert.equal(await probe(world, await signed(der("leaf", "middle"))), 200);
  assert.equal(await probe(world, await signed(der("leaf", "middle", "root"))), 200);
  assert.equal(await probe(world, await signed(der("leaf"))), 401, "a link is missing");
  assert.equal(await probe(world, await signed(der("middle"))), 401, "another one's certificate");
  const oddKey = createPrivateKey(await readFile(join(folder, "odd.key")));
  const odd = await signed(der("odd", "leaf", "middle"), oddKey);
  assert.equal(await probe(world, odd), 401, "signed by what may not sign");
  assert.equal(await probe(world, await signed(["x"])), 401);
  assert.equal(await probe(world, await signed([])), 401);
  world.pass(20 * 366 * 86_400_000);
  assert.equal(await probe(world, await signed(der("leaf", "middle"))), 401, "expired certificates");
});

test("a file of keys that can't be used is known before the first request", async () => {
  await writeFile(join(folder, "bad.json"), '{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}');
  const config = (jwks: string): AccessConfig => ({ trusted: [{ ...TRUSTED, jwks }] });
  const refused = async (jwks: string, code: string): Promise<void> =>
    await assert.rejects(openAccess(config(jwks)), (error: RegistryError) => error.code === code);
  await refused(join(folder, "bad.json"), "CONFIG_INVALID");
  await refused(join(folder, "none.json"), "CONFIG_UNREADABLE");
});

test("our tokens can be signed with a key that was given", async () => {
  const key = makeKey("RS256");
  const path = join(folder, "signing.pem");
  await writeFile(path, key.privateKey.export({ type: "pkcs8", format: "pem" }));
  const config = { realm: "registry.test", tokens: { keys: [path] } };
  await using world = await AccessWorld.open(config, { users: ["root"] });
  const { access_token: token } = await world.token("repository:a:pull", basic("root"));
  assert.equal(await probe(world, token), 200);
  const set = (await (await world.send("GET", "/auth/jwks.json")).json()) as { keys: JWK[] };
  assert.deepEqual(
    set.keys.map((one) => [one.kid, one.alg, one.n]),
    [[await calculateJwkThumbprint(key.jwk), "RS256", key.jwk.n]],
  );
  assert.deepEqual(await world.store.listKeys(), []);
  await writeFile(path, "nonsense");
  await assert.rejects(openAccess(config), /key 1 of tokens\.keys: it is not a private key in PEM/);
});
