import assert from "node:assert/strict";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";

import { yaml } from "../../internal/yaml.ts";
import { openTestApi, pod, readAnswer, type TestAnswer, type TestApi } from "../testing.ts";
import { NODES, serviceAccountUser } from "./user.ts";

const SECRETS = "/api/v1/namespaces/default/secrets";
const REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
const UNAUTHORIZED = {
  kind: "Status",
  apiVersion: "v1",
  metadata: {},
  status: "Failure",
  message: "Unauthorized",
  reason: "Unauthorized",
  code: 401,
};

describe("who asks", () => {
  it("has to show a token that was given out", async () => {
    await using api = await openTestApi();
    const token = api.server.adminToken.reveal();
    assert.equal((await withToken(api, `Bearer ${token}`, SECRETS)).code, 200);
    assert.equal((await withToken(api, `bearer  ${token}`, SECRETS)).code, 200);
    const wrong = [
      undefined,
      "",
      "Bearer",
      "Bearer x",
      `Basic ${token}`,
      `Bearer ${token}x`,
      `Bearer ${token} x`,
    ];
    const forged = `Bearer ${"e30".repeat(5)}.e30.e30`;
    for (const authorization of [...wrong, forged, `Bearer ${"x".repeat(20_000)}`]) {
      const { code, body, headers } = await withToken(api, authorization, SECRETS);
      assert.equal(code, 401, authorization);
      assert.deepEqual(body, UNAUTHORIZED);
      assert.match(headers.get("www-authenticate") ?? "", /^Bearer /);
    }
  });

  it("needs none to see whether the server is well, and which version it is", async () => {
    await using api = await openTestApi();
    for (const path of ["/healthz", "/livez", "/readyz", "/version", "/readyz?verbose"]) {
      assert.equal((await withToken(api, undefined, path)).code, 200, path);
    }
    for (const path of ["/metrics", "/api", "/openapi/v3", "/", "/nosuch"]) {
      assert.equal((await withToken(api, undefined, path)).code, 401, path);
    }
  });

  it("is the account that a token was made for, until that is gone", async () => {
    await using api = await openTestApi();
    const request = {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: { expirationSeconds: 600 },
    };
    const path = "/api/v1/namespaces/default/serviceaccounts/default";
    const { code, body } = await api.call("POST", `${path}/token`, { body: request });
    assert.equal(code, 201);
    const { token, expirationTimestamp } = body.status as unknown as {
      token: string;
      expirationTimestamp: string;
    };
    assert.equal(expirationTimestamp, "2026-01-02T03:14:05Z");
    const me = await withToken(api, `Bearer ${token}`, "/apis/authentication.k8s.io/v1/selfsubjectreviews", {
      body: { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" },
    });
    const { userInfo } = me.body.status as unknown as { userInfo: { username: string; groups: string[] } };
    assert.equal(userInfo.username, "system:serviceaccount:default:default");
    assert.deepEqual(userInfo.groups, [
      "system:serviceaccounts",
      "system:serviceaccounts:default",
      "system:authenticated",
    ]);
    const denied = await withToken(api, `Bearer ${token}`, SECRETS);
    assert.equal(denied.code, 403);
    assert.equal(
      denied.body.message,
      'secrets is forbidden: User "system:serviceaccount:default:default" cannot list resource "secrets" ' +
        'in API group "" in the namespace "default"',
    );
    api.clock.advance(601_000);
    assert.equal((await withToken(api, `Bearer ${token}`, SECRETS)).code, 401);
    const fresh = await api.call("POST", `${path}/token`, { body: request });
    await api.call("DELETE", path);
    const late = (fresh.body.status as unknown as { token: string }).token;
    assert.equal((await withToken(api, `Bearer ${late}`, SECRETS)).code, 401);
  });

  it("loses a token that was bound to a Pod with that Pod", async () => {
    await using api = await openTestApi();
    const made = await api.call("POST", "/api/v1/namespaces/default/pods", { body: pod("web") });
    const boundObjectRef = { kind: "Pod", apiVersion: "v1", name: "web", uid: made.body.metadata.uid };
    const path = "/api/v1/namespaces/default/serviceaccounts/default/token";
    const body = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { boundObjectRef } };
    const { body: answer } = await api.call("POST", path, { body });
    const { token } = answer.status as unknown as { token: string };
    assert.equal((await withToken(api, `Bearer ${token}`, SECRETS)).code, 403);
    await api.call("DELETE", "/api/v1/namespaces/default/pods/web");
    assert.equal((await withToken(api, `Bearer ${token}`, SECRETS)).code, 401);
    assert.equal((await api.call("POST", path, { body })).code, 404);
    const short = { ...body, spec: { expirationSeconds: 10 } };
    assert.equal((await api.call("POST", path, { body: short })).code, 422);
  });

  it("may be somebody else where that is allowed", async () => {
    await using api = await openTestApi();
    const as = { "impersonate-user": "system:serviceaccount:shop:default" };
    const resourceAttributes = { namespace: "shop", verb: "get", resource: "secrets" };
    const body = {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes },
    };
    assert.deepEqual((await api.call("POST", REVIEWS, { body })).body.status, { allowed: true });
    assert.deepEqual((await api.call("POST", REVIEWS, { body, headers: as })).body.status, {
      allowed: false,
    });
    const denied = await api.call("GET", SECRETS, { headers: as });
    assert.equal(denied.code, 403);
    const user = serviceAccountUser("shop", "default");
    const twice = await api.call("GET", SECRETS, { headers: { "impersonate-user": "admin" }, user });
    assert.equal(twice.code, 403);
    assert.match(twice.body.message ?? "", /cannot impersonate resource "users"/);
    const group = { "impersonate-user": "x", "impersonate-group": "system:masters" };
    assert.equal((await api.call("GET", SECRETS, { headers: group })).code, 200);
    assert.equal((await api.call("GET", SECRETS, { headers: { "impersonate-group": "x" } })).code, 400);
  });
});

describe("a question in protobuf", () => {
  // As kubectl asks `auth can-i get secrets --as=system:serviceaccount:shop:default -n shop`, and `auth whoami`.
  const CAN_I =
    "azhzAAoyChdhdXRob3JpemF0aW9uLms4cy5pby92MRIXU2VsZlN1YmplY3RBY2Nlc3NSZXZpZXcSPAoQCgASABoAIgAqADIAOABCABIeChwK" +
    "BHNob3ASA2dldBoAIgAqB3NlY3JldHMyADoAGggIABIAGgAgABoAIgA=";
  const WHO_AM_I =
    "azhzAAotChhhdXRoZW50aWNhdGlvbi5rOHMuaW8vdjESEVNlbGZTdWJqZWN0UmV2aWV3EhoKEAoAEgAaACIAKgAyADgAQgASBgoECgASABoAIgA=";
  const type = "application/vnd.kubernetes.protobuf";
  const accept = "application/vnd.kubernetes.protobuf,application/json";

  it("is understood, and answered in JSON", async () => {
    await using api = await openTestApi();
    const headers = { "impersonate-user": "system:serviceaccount:shop:default" };
    const body = new Uint8Array(Buffer.from(CAN_I, "base64"));
    const { code, body: answer } = await api.call("POST", REVIEWS, { body, type, accept, headers });
    assert.deepEqual([code, answer.status], [201, { allowed: false }]);
    assert.deepEqual(answer.spec, {
      resourceAttributes: { namespace: "shop", verb: "get", resource: "secrets" },
    });
    const me = await api.call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {
      body: new Uint8Array(Buffer.from(WHO_AM_I, "base64")),
      type,
      accept,
    });
    assert.deepEqual(me.body.status, {
      userInfo: { username: "admin", uid: "1", groups: ["system:masters", "system:authenticated"] },
    });
  });
});

describe("who may do what", () => {
  it("lets a node read what its Pods need, and write what it knows of them", async () => {
    await using api = await openTestApi();
    const user = { name: "system:node:n", groups: [NODES, "system:authenticated"] };
    await api.call("POST", "/api/v1/namespaces/default/pods", {
      body: pod("web", { spec: { nodeName: "n" } }),
    });
    assert.equal((await api.call("GET", "/api/v1/pods", { user })).code, 200);
    assert.equal((await api.call("GET", SECRETS, { user })).code, 200);
    const type = "application/merge-patch+json";
    const status = { body: { status: { phase: "Running" } }, type, user };
    assert.equal((await api.call("PATCH", "/api/v1/namespaces/default/pods/web/status", status)).code, 200);
    assert.equal((await api.call("PATCH", "/api/v1/namespaces/default/pods/web", status)).code, 403);
    assert.equal((await api.call("DELETE", `${SECRETS}/x`, { user })).code, 403);
    assert.equal(
      (await api.call("POST", "/apis/apps/v1/namespaces/default/deployments", { body: {}, user })).code,
      403,
    );
  });

  it("lists the rules that apply to whoever asks", async () => {
    await using api = await openTestApi();
    const path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
    const body = {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectRulesReview",
      spec: { namespace: "shop" },
    };
    const admin = (await api.call("POST", path, { body })).body.status as unknown as {
      resourceRules: unknown[];
    };
    assert.ok(admin.resourceRules.some((rule) => JSON.stringify(rule).includes('"resources":["*"]')));
    const user = serviceAccountUser("shop", "default");
    const other = (await api.call("POST", path, { body, user })).body.status as unknown as {
      resourceRules: unknown[];
    };
    assert.equal(other.resourceRules.length, 2);
  });
});

describe("the administrator's kubeconfig", () => {
  it("is for its owner alone, holds the token that the server knows by its digest, and survives a restart", async () => {
    await using api = await openTestApi();
    const { url, kubeconfig, authority } = await api.server.listen({ port: 0 });
    assert.equal((await stat(kubeconfig)).mode & 0o777, 0o600);
    const config = yaml().parse(await readFile(kubeconfig, "utf8")) as {
      clusters: { cluster: { server: string; "certificate-authority-data": string } }[];
      users: { user: { token: string } }[];
      "current-context": string;
    };
    const token = api.server.adminToken.reveal();
    assert.equal(config["current-context"], "dray");
    assert.equal(config.clusters[0]?.cluster.server, url);
    assert.equal(
      Buffer.from(config.clusters[0]?.cluster["certificate-authority-data"] ?? "", "base64").toString(),
      authority,
    );
    assert.equal(config.users[0]?.user.token, token);
    const tokens = join(api.folder, "tokens.json");
    assert.equal((await stat(tokens)).mode & 0o777, 0o600);
    assert.ok(!(await readFile(tokens, "utf8")).includes(token));
    await api.restart();
    assert.equal(api.server.adminToken.reveal(), token);
  });

  it("is given a new token when it was lost or spoilt, and the old one is good no more", async () => {
    await using api = await openTestApi();
    const { kubeconfig } = await api.server.listen({ port: 0 });
    const token = api.server.adminToken.reveal();
    await writeFile(kubeconfig, "{ not yaml: [");
    await api.restart();
    assert.notEqual(api.server.adminToken.reveal(), token);
    assert.equal((await withToken(api, `Bearer ${token}`, SECRETS)).code, 401);
    assert.equal((await withToken(api, `Bearer ${api.server.adminToken.reveal()}`, SECRETS)).code, 200);
  });
});

async function withToken(
  api: TestApi,
  authorization: string | undefined,
  path: string,
  post?: { readonly body: unknown },
): Promise<TestAnswer> {
  const headers = {
    ...(authorization !== undefined && { authorization }),
    ...(post && { "content-type": "application/json" }),
  };
  const body = post && JSON.stringify(post.body);
  const request = new Request(`https://api.test${path}`, {
    method: post ? "POST" : "GET",
    headers,
    ...(body && { body }),
  });
  return await readAnswer(await api.server.fetch(request));
}
