import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Credential,
  type CredentialSource,
  type CredentialTarget,
  Secret,
  StaticSource,
} from "../credentials/index.ts";
import { Authorizer, type AuthorizerOptions } from "./authorizer.ts";
import { fakeHost, fakeResponse, FakeTokenService, unauthorized } from "../../test/fake-token-service.ts";

const HOST = fakeHost("r.example.test");
const REALM = "https://auth.example.test/token";
const CHALLENGE = `Bearer realm="${REALM}",service="svc",scope="repository:a/b:pull"`;
const PULL = { domain: "r.example.test", repository: "a/b", scopes: ["repository:a/b:pull"] };
const URL_ = "https://r.example.test/v2/a/b/manifests/v1";

const basic: Credential = { kind: "basic", username: "ann", password: new Secret("s3cret") };
const identity: Credential = { kind: "identity-token", token: new Secret("id-1") };

function sourceOf(credential?: Credential, registry = "r.example.test"): StaticSource {
  const origin = { kind: "argument", label: "test" } as const;
  return new StaticSource(credential ? [{ registry, candidate: { credential, origin } }] : []);
}

function authorizer(service: FakeTokenService, options: Partial<AuthorizerOptions> = {}): Authorizer {
  return new Authorizer({
    credentials: sourceOf(),
    send: service.send,
    userAgent: "dray-test",
    clock: () => 1_000_000,
    ...options,
  });
}

test("authorize() says nothing to a host that hasn't asked", async () => {
  const service = new FakeTokenService(() => assert.fail("no request is due"));
  const auth = authorizer(service, { credentials: sourceOf(basic) });
  assert.equal(await auth.authorize(HOST, PULL), undefined);
});

test("an anonymous client gets its token by GET, without authorization", async () => {
  const service = new FakeTokenService(() => ({ status: 200, body: { token: "t1" } }));
  const auth = authorizer(service);
  assert.equal(await auth.challenged(HOST, unauthorized(URL_, CHALLENGE), PULL), true);
  assert.equal(await auth.authorize(HOST, PULL), "Bearer t1");
  assert.deepEqual(service.log, [`GET ${REALM}?service=svc&scope=repository%3Aa%2Fb%3Apull`]);
  assert.equal(service.requests[0]?.headers["authorization"], undefined);
  assert.equal(service.requests[0]?.headers["user-agent"], "dray-test");
});

test("a user and password go by POST first", async () => {
  const service = new FakeTokenService(() => ({ status: 200, body: { access_token: "t", token: "no" } }));
  const auth = authorizer(service, { credentials: sourceOf(basic) });
  await auth.challenged(HOST, unauthorized(URL_, CHALLENGE), PULL);
  assert.equal(await auth.authorize(HOST, PULL), "Bearer t");
  assert.deepEqual(service.log, [`POST ${REALM}`]);
  assert.deepEqual(service.form(0), {
    grant_type: "password",
    username: "ann",
    password: "s3cret",
    service: "svc",
    scope: "repository:a/b:pull",
    client_id: "dray",
  });
  assert.equal(auth.originFor(HOST, PULL)?.label, "test");
});

for (const status of [400, 401, 404, 405, 302]) {
  test(`a POST answered ${status} is followed by GET with Basic, and later tokens go by GET at once`, async () => {
    const service = new FakeTokenService(({ method }) =>
      method === "POST"
        ? { status, headers: { location: "https://auth.example.test/other" } }
        : { status: 200, body: { token: "t" } },
    );
    const auth = authorizer(service, { credentials: sourceOf(basic) });
    await auth.challenged(HOST, unauthorized(URL_, CHALLENGE), PULL);
    assert.equal(await auth.authorize(HOST, PULL), "Bearer t");
    await auth.authorize(HOST, { ...PULL, scopes: ["repository:a/b:pull,push"] });
    assert.deepEqual(
      service.requests.map(({ method }) => method),
      ["POST", "GET", "GET"],
    );
    assert.equal(
      service.requests[1]?.headers["authorization"],
      `Basic ${Buffer.from("ann:s3cret").toString("base64")}`,
    );
    assert.equal(service.requests[1]?.url.searchParams.get("account"), "ann");
  });
}

test("a POST of an identity token answered 405 is final", async () => {
  const service = new FakeTokenService(() => ({ status: 405 }));
  const auth = authorizer(service, { credentials: sourceOf(identity) });
  await auth.challenged(HOST, unauthorized(URL_, CHALLENGE), PULL);
  await assert.rejects(auth.authorize(HOST, PULL), { code: "TOKEN_FAILED", status: 405 });
  assert.deepEqual(service.form(0)["grant_type"], "refresh_token");
  assert.equal(service.requests.length, 1);
});

test("a refused credential is told with the service's words and without the secret", async () => {
  const service = new FakeTokenService(() => ({
    status: 401,
    body: { errors: [{ code: "UNAUTHORIZED", message: "incorrect username or password" }] },
  }));
  const auth = authorizer(service, { credentials: sourceOf(basic) });
  await auth.challenged(HOST, unauthorized(URL_, CHALLENGE), PULL);
  await assert.rejects(auth.authorize(HOST, PULL), (error: Error & { code: string }) => {
    assert.equal(error.code, "UNAUTHORIZED");
    assert.equal(
      error.message,
      `Cannot get a token from "${REALM}": 401, UNAUTHORIZED: incorrect username or password`,
    );
    return true;
  });
});

test("a refresh token replaces the credential, until it is refused", async () => {
  let refreshGood = true;
  const service = new FakeTokenService((request, nth) => {
    const body = new TextDecoder().decode(request.body as Uint8Array);
    if (body.includes("refresh_token=fresh") && !refreshGood) return { status: 400 };
    if (request.method === "GET") return { status: 401 };
    return { status: 200, body: { access_token: `t${nth}`, refresh_token: "fresh", expires_in: 100 } };
  });
  let now = 0;
  const auth = authorizer(service, {
    credentials: sourceOf(basic),
    offlineToken: true,
    clock: () => now,
  });
  await auth.challenged(HOST, unauthorized(URL_, CHALLENGE), PULL);
  assert.equal(await auth.authorize(HOST, PULL), "Bearer t1");
  assert.equal(service.form(0)["access_type"], "offline");
  now += 90_000;
  assert.equal(await auth.authorize(HOST, PULL), "Bearer t2");
  assert.equal(service.form(1)["refresh_token"], "fresh");
  refreshGood = false;
  now += 90_000;
  assert.match((await auth.authorize(HOST, PULL)) ?? "", /^Bearer t/);
  assert.equal(service.form(service.requests.length - 1)["grant_type"], "password");
});

test("a registry token is shown as it is, and given up once refused", async () => {
  const service = new FakeTokenService(() => assert.fail("no exchange is due"));
  const token: Credential = { kind: "registry-token", token: new Secret("ready") };
  const auth = authorizer(service, { credentials: sourceOf(token) });
  assert.equal(await auth.challenged(HOST, unauthorized(URL_, CHALLENGE), PULL), true);
  assert.equal(await auth.authorize(HOST, PULL), "Bearer ready");
  const again = { ...PULL, sentAuthorization: "Bearer ready" };
  assert.equal(await auth.challenged(HOST, unauthorized(URL_, CHALLENGE), again), false);
});

test("a token is used for 90 % of its life", async () => {
  const service = new FakeTokenService((_, nth) => ({
    status: 200,
    body: { token: `t${nth}`, expires_in: 300 },
  }));
  let now = 5_000_000;
  const auth = authorizer(service, { clock: () => now });
  await auth.challenged(HOST, unauthorized(URL_, CHALLENGE), PULL);
  assert.equal(await auth.authorize(HOST, PULL), "Bearer t1");
  now += 269_999;
  assert.equal(await auth.authorize(HOST, PULL), "Bearer t1");
  now += 1;
  assert.equal(await auth.authorize(HOST, PULL), "Bearer t2");
});

test("requests that come together share one fetch", async () => {
  const gate = Promise.withResolvers<void>();
  const service = new FakeTokenService(async () => {
    await gate.promise;
    return { status: 200, body: { token: "t" } };
  });
  const auth = authorizer(service);
  await auth.challenged(HOST, unauthorized(URL_, CHALLENGE), PULL);
  const all = Promise.all(Array.from({ length: 20 }, () => auth.authorize(HOST, PULL)));
  gate.resolve();
  assert.deepEqual(new Set(await all), new Set(["Bearer t"]));
  assert.equal(service.requests.length, 1);
});

test("a failed fetch isn't remembered", async () => {
  const service = new FakeTokenService((_, nth) =>
    nth === 1 ? { status: 503 } : { status: 200, body: { token: "t" } },
  );
  const auth = authorizer(service);
  await auth.challenged(HOST, unauthorized(URL_, CHALLENGE), PULL);
  await assert.rejects(auth.authorize(HOST, PULL), { code: "TOKEN_FAILED", status: 503 });
  assert.equal(await auth.authorize(HOST, PULL), "Bearer t");
});

test("a 401 to a token drops it, and what is newly demanded is asked for first", async () => {
  const service = new FakeTokenService((_, nth) => ({ status: 200, body: { token: `t${nth}` } }));
  const auth = authorizer(service);
  await auth.challenged(HOST, unauthorized(URL_, CHALLENGE), PULL);
  const first = await auth.authorize(HOST, PULL);
  const more = `Bearer realm="${REALM}",service="svc",scope="repository:z/z:pull",error="insufficient_scope"`;
  const retry = { ...PULL, sentAuthorization: first };
  assert.equal(await auth.challenged(HOST, unauthorized(URL_, more), retry), true);
  assert.equal(await auth.authorize(HOST, PULL), "Bearer t2");
  assert.deepEqual(service.requests[1]?.url.searchParams.getAll("scope"), [
    "repository:z/z:pull",
    "repository:a/b:pull",
  ]);
});

test("a 403 is a challenge only when it names missing scopes", async () => {
  const service = new FakeTokenService(() => ({ status: 200, body: { token: "t" } }));
  const auth = authorizer(service);
  const denied = (challenge: string): ReturnType<typeof fakeResponse> =>
    fakeResponse(URL_, { status: 403, headers: { "www-authenticate": challenge } });
  assert.equal(await auth.challenged(HOST, denied(CHALLENGE), PULL), false);
  assert.equal(await auth.challenged(HOST, denied(`${CHALLENGE},error="insufficient_scope"`), PULL), true);
});

test("Basic is sent with every request after the first challenge, and once refused not again", async () => {
  const service = new FakeTokenService(() => assert.fail("no exchange is due"));
  const auth = authorizer(service, { credentials: sourceOf(basic) });
  assert.equal(await auth.challenged(HOST, unauthorized(URL_, 'Basic realm="x"'), PULL), true);
  const value = `Basic ${Buffer.from("ann:s3cret").toString("base64")}`;
  assert.equal(await auth.authorize(HOST, PULL), value);
  const again = { ...PULL, sentAuthorization: value };
  assert.equal(await auth.challenged(HOST, unauthorized(URL_, 'Basic realm="x"'), again), false);
});

test("Basic without a user and password fails at once", async () => {
  const service = new FakeTokenService(() => assert.fail("no exchange is due"));
  for (const credential of [undefined, identity]) {
    const auth = authorizer(service, { credentials: sourceOf(credential) });
    await assert.rejects(auth.challenged(HOST, unauthorized(URL_, "Basic"), PULL), {
      code: "UNAUTHORIZED",
      message: /no basic auth credentials/,
    });
  }
});

test("credentials are looked up for the host contacted, not the image's", async () => {
  const asked: CredentialTarget[] = [];
  const credentials: CredentialSource = {
    find: (target) => {
      asked.push(target);
      return Promise.resolve([]);
    },
  };
  const service = new FakeTokenService(() => ({ status: 200, body: { token: "t" } }));
  const auth = authorizer(service, { credentials });
  const request = { ...PULL, domain: "docker.io" };
  for (const host of ["mirror.example.test", "registry-1.docker.io"]) {
    const url = `https://${host}/v2/`;
    await auth.challenged(fakeHost(host), unauthorized(url, CHALLENGE), request);
  }
  assert.deepEqual(
    asked.map(({ host }) => host),
    ["mirror.example.test", "docker.io"],
  );
});

test("a host that a redirect named gets an anonymous token at most", async () => {
  const service = new FakeTokenService(() => ({ status: 200, body: { token: "nobody" } }));
  const auth = authorizer(service, { credentials: sourceOf(basic) });
  const request = { ...PULL, anonymous: true };
  await auth.challenged(HOST, unauthorized(URL_, CHALLENGE), request);
  assert.equal(await auth.authorize(HOST, request), "Bearer nobody");
  assert.equal(service.requests[0]?.method, "GET");
  assert.equal(service.requests[0]?.headers["authorization"], undefined);
  assert.equal(await auth.challenged(HOST, unauthorized(URL_, "Basic"), request), false);
});

test("a realm in a private network or over plain HTTP is refused", async () => {
  const service = new FakeTokenService(() => assert.fail("nothing may be sent"));
  const auth = authorizer(service, { credentials: sourceOf(basic) });
  for (const realm of ["https://169.254.169.254/token", "http://auth.example.test/token"]) {
    await assert.rejects(auth.challenged(HOST, unauthorized(URL_, `Bearer realm="${realm}"`), PULL), {
      code: "REALM_REFUSED",
    });
  }
  await assert.rejects(auth.challenged(HOST, unauthorized(URL_, 'Bearer service="x"'), PULL), {
    code: "CHALLENGE_INVALID",
  });
});

test("a redirect of the token request passes the same rules and takes no credential to another host", async () => {
  const service = new FakeTokenService(({ url, method }) => {
    if (method === "POST") return { status: 404 };
    if (url.host === "auth.example.test") {
      return { status: 307, headers: { location: "https://elsewhere.example.test/t" } };
    }
    return { status: 200, body: { token: "t" } };
  });
  const auth = authorizer(service, { credentials: sourceOf(basic) });
  const host = { ...HOST, headers: { "x-extra": ["1", "2"] } };
  await auth.challenged(host, unauthorized(URL_, CHALLENGE), PULL);
  await auth.authorize(host, PULL);
  const [, own, other] = service.requests;
  assert.equal(own?.headers["x-extra"], "1, 2");
  assert.match(own?.headers["authorization"] ?? "", /^Basic /);
  assert.equal(other?.headers["x-extra"], undefined);
  assert.equal(other?.headers["authorization"], undefined);
});

test("a form with a password is posted to no other host, and loops end", async () => {
  const away = new FakeTokenService(() => ({
    status: 307,
    headers: { location: "https://elsewhere.example.test/t" },
  }));
  const one = authorizer(away, { credentials: sourceOf(basic) });
  await one.challenged(HOST, unauthorized(URL_, CHALLENGE), PULL);
  await assert.rejects(one.authorize(HOST, PULL), { code: "REALM_REFUSED" });
  assert.equal(away.requests.length, 1);

  const loop = new FakeTokenService(() => ({ status: 302, headers: { location: "/again" } }));
  const two = authorizer(loop);
  await two.challenged(HOST, unauthorized(URL_, CHALLENGE), PULL);
  await assert.rejects(two.authorize(HOST, PULL), { code: "REDIRECT_REFUSED" });
  assert.equal(loop.requests.length, 11);
});

test("who gives up doesn't spoil the fetch for those who still wait; when all have, it's aborted", async () => {
  const gate = Promise.withResolvers<void>();
  const service = new FakeTokenService(async () => {
    await gate.promise;
    return { status: 200, body: { token: "t" } };
  });
  const auth = authorizer(service);
  await auth.challenged(HOST, unauthorized(URL_, CHALLENGE), PULL);
  const leaving = new AbortController();
  const left = auth.authorize(HOST, { ...PULL, signal: leaving.signal });
  const staying = auth.authorize(HOST, PULL);
  const checked = assert.rejects(left, { name: "AbortError" });
  await new Promise(setImmediate);
  leaving.abort();
  await checked;
  assert.equal(service.requests[0]?.signal?.aborted, false);
  gate.resolve();
  assert.equal(await staying, "Bearer t");

  const never = new FakeTokenService(() => new Promise(() => {}));
  const lonely = authorizer(never);
  await lonely.challenged(HOST, unauthorized(URL_, CHALLENGE), PULL);
  const alone = new AbortController();
  const abandoned = lonely.authorize(HOST, { ...PULL, signal: alone.signal });
  await new Promise(setImmediate);
  alone.abort();
  await assert.rejects(abandoned, { name: "AbortError" });
  assert.equal(never.requests[0]?.signal?.aborted, true);
});

test("a credential over plain HTTP to another machine is warned of once", async () => {
  const warnings: string[] = [];
  const service = new FakeTokenService(() => ({ status: 200, body: { token: "t" } }));
  const auth = authorizer(service, {
    credentials: sourceOf(basic),
    warn: (message) => void warnings.push(message),
  });
  const host = { ...HOST, scheme: "http" as const };
  for (let i = 0; i < 2; i++) {
    await auth.challenged(host, unauthorized("http://r.example.test/v2/", 'Basic realm="x"'), PULL);
  }
  assert.equal(warnings.length, 1);
});

test("requests that come together share one lookup, and one that gives up doesn't spoil it", async () => {
  const lookups: AbortSignal[] = [];
  const credentials: CredentialSource = {
    find: (_, options) => {
      const signal = options?.signal ?? new AbortController().signal;
      lookups.push(signal);
      return new Promise((resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason as Error));
        if (lookups.length > 1) setImmediate(() => resolve([]));
      });
    },
  };
  const auth = authorizer(new FakeTokenService(() => ({ status: 200, body: { token: "t" } })), {
    credentials,
  });
  const leaving = new AbortController();
  const first = auth.challenged(HOST, unauthorized(URL_, CHALLENGE), { ...PULL, signal: leaving.signal });
  const others = Array.from({ length: 5 }, () => auth.challenged(HOST, unauthorized(URL_, CHALLENGE), PULL));
  const checked = assert.rejects(first, { name: "AbortError" });
  leaving.abort();
  await checked;
  assert.deepEqual(await Promise.all(others), [true, true, true, true, true]);
  assert.equal(lookups.length, 2);
});
