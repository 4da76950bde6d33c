import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect as connectTcp, type Socket } from "node:net";
import { test } from "node:test";
import type { TLSSocket } from "node:tls";
import { type CertificatePair, issueCertificate } from "../../internal/certificates.ts";
import { Secret } from "../../internal/secret.ts";
import { StatusError } from "../objects/status.ts";
import { type ApiCredentialSource, fixedCredential } from "./authenticate.ts";
import { KubernetesClient } from "./client.ts";
import { connectToCluster } from "./cluster-config.ts";
import { KubernetesClientError } from "./errors.ts";
import { HttpsTransport } from "./transport.ts";
import {
  impatientClock,
  openScriptedServer,
  podOf,
  PODS,
  sendFailure,
  sendJson,
  testIdentity,
} from "./testing.ts";

const HOUR = 3_600_000;
const DEPLOYMENTS = { group: "apps", version: "v1", resource: "deployments", namespaced: true } as const;
const NODES = { group: "", version: "v1", resource: "nodes", namespaced: false } as const;

test("every call asks for the path, the query and the content type of its verb", async () => {
  await using server = await openScriptedServer((_, response) =>
    sendJson(response, 200, { kind: "Pod", metadata: {} }),
  );
  const client = server.client({ fieldManager: "dray" });
  const pods = client.resource(PODS);
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "a", namespace: "shop" } };
  await pods.get("a/b");
  await pods.create(pod, { dryRun: true, fieldValidation: "Strict" });
  await pods.updateStatus(pod);
  await pods.patch("a", { type: "json", body: [{ op: "remove", path: "/x" }] });
  await pods.patch("a", { type: "merge", body: {} }, { subresource: "ephemeralcontainers" });
  await pods.patch("a", { type: "strategic", body: {} }, { namespace: "shop" });
  await client
    .resource(DEPLOYMENTS)
    .patch("a", { type: "apply", body: {} }, { force: true, fieldManager: "me" });
  await pods.post("a", { kind: "Binding" }, { subresource: "binding" });
  await pods.delete("a", {
    gracePeriodSeconds: 0,
    propagationPolicy: "Foreground",
    preconditions: { uid: "u" },
  });
  await pods.deleteCollection({ labelSelector: "app=a" });
  await client.resource(NODES).get("n", { namespace: "shop" });
  assert.deepEqual(
    server.asked.map(({ method, url }) => `${method} ${url}`),
    [
      "GET /api/v1/namespaces/default/pods/a%2Fb",
      "POST /api/v1/namespaces/shop/pods?dryRun=All&fieldManager=dray&fieldValidation=Strict",
      "PUT /api/v1/namespaces/shop/pods/a/status?fieldManager=dray",
      "PATCH /api/v1/namespaces/default/pods/a?fieldManager=dray",
      "PATCH /api/v1/namespaces/default/pods/a/ephemeralcontainers?fieldManager=dray",
      "PATCH /api/v1/namespaces/shop/pods/a?fieldManager=dray",
      "PATCH /apis/apps/v1/namespaces/default/deployments/a?fieldManager=me&force=true",
      "POST /api/v1/namespaces/default/pods/a/binding?fieldManager=dray",
      "DELETE /api/v1/namespaces/default/pods/a",
      "DELETE /api/v1/namespaces/default/pods?labelSelector=app%3Da",
      "GET /api/v1/nodes/n",
    ],
  );
  assert.deepEqual(
    server.asked.filter(({ method }) => method === "PATCH").map(({ headers }) => headers["content-type"]),
    ["json-patch", "merge-patch", "strategic-merge-patch"]
      .map((name) => `application/${name}+json`)
      .concat("application/apply-patch+yaml"),
  );
  assert.deepEqual(JSON.parse(server.asked[8]?.body ?? ""), {
    kind: "DeleteOptions",
    apiVersion: "v1",
    gracePeriodSeconds: 0,
    propagationPolicy: "Foreground",
    preconditions: { uid: "u" },
  });
});

test("a refusal is a StatusError with the server's own Status; without one it is made from the code", async () => {
  await using server = await openScriptedServer((request, response) => {
    if (request.url.endsWith("/none")) return sendFailure(response, 404, "NotFound");
    response.writeHead(403, { "content-type": "text/plain" });
    response.end("no entry\n");
  });
  const pods = server.client().resource(PODS);
  assert.equal(await pods.find("none"), undefined);
  await assert.rejects(
    pods.get("none"),
    (error: unknown) => error instanceof StatusError && error.code === "NotFound",
  );
  await assert.rejects(pods.get("other"), (error: unknown) => {
    assert.ok(error instanceof StatusError);
    assert.equal(error.code, "Forbidden");
    assert.equal(error.status.code, 403);
    assert.match(
      error.message,
      /GET "\/api\/v1\/namespaces\/default\/pods\/other" with code 403: no entry$/v,
    );
    return true;
  });
});

test("reading is tried again after 429, 5xx and cut connections; Retry-After says when", async () => {
  const clock = impatientClock();
  let count = 0;
  await using server = await openScriptedServer((_, response) => {
    count++;
    if (count === 1) return sendFailure(response, 429, "TooManyRequests", { "retry-after": "7" });
    if (count === 2) return sendFailure(response, 503, "ServiceUnavailable");
    if (count === 3) return void response.destroy();
    sendJson(response, 200, podOf("a", 1));
  });
  const pod = await server
    .client({ clock, random: () => 0 })
    .resource(PODS)
    .get("a");
  assert.equal(pod.metadata.name, "a");
  assert.deepEqual(clock.waits, [7000, 1000, 1000]);
});

test("writing is tried again only when the server turned it away unread and says when to come back", async () => {
  const clock = impatientClock();
  const codes = [429, 500];
  await using server = await openScriptedServer((_, response) =>
    sendFailure(response, codes.shift() ?? 200, "Busy", { "retry-after": "1" }),
  );
  const pods = server.client({ clock }).resource(PODS);
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "a" } };
  await assert.rejects(
    pods.create(pod),
    (error: unknown) => error instanceof StatusError && error.status.code === 500,
  );
  assert.deepEqual(clock.waits, [1000]);
  assert.equal(server.asked.length, 2);
});

test("a server that wants to be left alone for long, or never answers well, is told of", async () => {
  const clock = impatientClock();
  await using server = await openScriptedServer((request, response) =>
    sendFailure(
      response,
      429,
      "TooManyRequests",
      request.url.endsWith("/long") ? { "retry-after": "3600" } : {},
    ),
  );
  const pods = server.client({ clock }).resource(PODS);
  await assert.rejects(pods.get("long"), StatusError);
  assert.equal(server.asked.length, 1);
  await assert.rejects(pods.get("other"), StatusError);
  assert.equal(server.asked.length, 6);
});

test("a list comes in chunks, and once more in one piece when the server forgot where it was", async () => {
  const all = ["a", "b", "c", "d", "e"].map((name, index) => podOf(name, index + 1));
  await using server = await openScriptedServer((request, response) => {
    const query = new URL(request.url, server.url).searchParams;
    if (query.get("continue") === "4") return sendFailure(response, 410, "Expired");
    const start = Number(query.get("continue") ?? 0);
    const end = start + Number(query.get("limit") ?? 100);
    const metadata = {
      resourceVersion: query.has("limit") ? "9" : "12",
      ...(end < 5 && { continue: String(end) }),
    };
    sendJson(response, 200, { kind: "PodList", apiVersion: "v1", metadata, items: all.slice(start, end) });
  });
  const pods = server.client().resource(PODS);
  const names: unknown[] = [];
  for await (const pod of pods.list({ limit: 2, labelSelector: "a in (b)" })) names.push(pod.metadata.name);
  assert.deepEqual(names, ["a", "b", "c", "d", "e"]);
  const list = await pods.listAll({ limit: 2, namespace: "" });
  assert.deepEqual([list.items.length, list.resourceVersion], [5, "12"]);
  assert.equal(server.asked[0]?.url, "/api/v1/namespaces/default/pods?labelSelector=a+in+%28b%29&limit=2");
  assert.equal(server.asked[4]?.url, "/api/v1/pods?limit=2");
});

test("aborting ends a request that waits, a body that streams and a wait between attempts, at once", async () => {
  await using server = await openScriptedServer((request, response) => {
    if (request.url.endsWith("/silent")) return;
    if (request.url.endsWith("/busy")) return sendFailure(response, 503, "Busy", { "retry-after": "20" });
    response.writeHead(200);
    response.write("{");
  });
  const pods = server.client().resource(PODS);
  for (const name of ["silent", "busy", "half"]) {
    const controller = new AbortController();
    const { signal } = controller;
    const call = pods.get(name, { signal });
    const asked = server.asked.length;
    while (server.asked.length === asked) await new Promise((resolve) => setImmediate(resolve));
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    const reason = new Error("enough");
    controller.abort(reason);
    await assert.rejects(call, (error: unknown) => error === reason, name);
  }
});

test("an answer that doesn't begin in time, isn't JSON or never comes is a failure with its code", async () => {
  await using server = await openScriptedServer((request, response) => {
    if (!request.url.endsWith("/slow")) response.end("<html>");
  });
  const codeOf = (code: string) => (error: unknown) =>
    error instanceof KubernetesClientError && error.code === code;
  const hasty = server.client({ timeout: 50, clock: impatientClock() }).resource(PODS);
  await assert.rejects(hasty.get("slow"), codeOf("NETWORK_TIMEOUT"));
  await assert.rejects(server.client().resource(PODS).get("page"), codeOf("RESPONSE_INVALID"));
  const transport = connectToCluster({
    server: server.url,
    namespace: "default",
    credentials: fixedCredential({}),
  });
  await assert.rejects(transport.client.resource(PODS).get("a"), codeOf("TLS_UNKNOWN_AUTHORITY"));
  await transport.close();
});

test("tokens, passwords, certificates, other names and impersonation reach the server", async () => {
  const { authority } = await testIdentity();
  const pair = await issueCertificate(authority, {
    commonName: "someone",
    usage: "client",
    now: Date.now,
    lifetimeMs: HOUR,
  });
  const seen: unknown[] = [];
  await using server = await openScriptedServer(
    (request, response) => {
      const socket = response.socket as TLSSocket;
      const { authorization } = request.headers;
      seen.push([
        authorization,
        socket.getPeerCertificate().subject?.CN,
        request.headers["impersonate-user"],
      ]);
      sendJson(response, 200, podOf("a", 1));
    },
    { clientAuthority: authority.certificate },
  );
  const groups: string[][] = [];
  server.server.prependListener("request", (request: IncomingMessage) => {
    groups.push(request.headersDistinct["impersonate-group"] ?? []);
  });
  const ask = async (config: Partial<Parameters<typeof connectToCluster>[0]>): Promise<void> => {
    const base = { server: server.url, namespace: "default", certificateAuthority: server.authority };
    await using connected = connectToCluster({ ...base, credentials: fixedCredential({}), ...config });
    await connected.client.resource(PODS).get("a");
  };
  await ask({ credentials: fixedCredential({ token: new Secret("t0k") }) });
  await ask({ credentials: fixedCredential({ basic: { username: "u", password: new Secret("p:w") } }) });
  const certificate = { certificate: pair.certificate, key: new Secret(pair.key) };
  await ask({ credentials: fixedCredential({ certificate }), serverName: "kubernetes.test" });
  await ask({ impersonate: { user: "jane", groups: ["a, b", "c"] } });
  await ask({ certificateAuthority: undefined, insecure: true });
  await assert.rejects(ask({ serverName: "elsewhere.test" }), { code: "TLS_NAME_MISMATCH" });
  assert.deepEqual(seen, [
    ["Bearer t0k", undefined, undefined],
    [`Basic ${Buffer.from("u:p:w").toString("base64")}`, undefined, undefined],
    [undefined, "someone", undefined],
    [undefined, undefined, "jane"],
    [undefined, undefined, undefined],
  ]);
  assert.deepEqual(groups[3], ["a, b", "c"]);
});

test("credentials that are refused are renewed once, and the request goes out again with its body", async () => {
  const { authority } = await testIdentity();
  const issue = (commonName: string): Promise<CertificatePair> =>
    issueCertificate(authority, { commonName, usage: "client", now: Date.now, lifetimeMs: HOUR });
  const pairs = [await issue("old"), await issue("new")];
  const seen: string[] = [];
  let welcome = "new";
  await using server = await openScriptedServer(
    (request, response) => {
      const { CN } = (response.socket as TLSSocket).getPeerCertificate().subject;
      seen.push(
        `${String(CN)} ${request.headers.authorization} ${request.body.length > 10 ? "body" : "none"}`,
      );
      if (CN !== welcome) return sendFailure(response, 401, "Unauthorized");
      sendJson(response, 201, podOf("a", 1));
    },
    { clientAuthority: authority.certificate },
  );
  let turn = 0;
  const credentials: ApiCredentialSource = {
    get: () => {
      const pair = pairs[Math.min(turn, 1)] as CertificatePair;
      const certificate = { certificate: pair.certificate, key: new Secret(pair.key) };
      return Promise.resolve({ token: new Secret(`t${turn}`), certificate });
    },
    renew: () => void turn++,
  };
  const base = { server: server.url, namespace: "default", certificateAuthority: server.authority };
  await using connected = connectToCluster({ ...base, credentials });
  const pods = connected.client.resource(PODS);
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "a" } };
  await pods.create(pod);
  assert.deepEqual(seen, ["old Bearer t0 body", "new Bearer t1 body"]);
  welcome = "nobody";
  await assert.rejects(
    pods.create(pod),
    (error: unknown) => error instanceof StatusError && error.code === "Unauthorized",
  );
  assert.equal(seen.length, 4, "once more, and then no more");
});

test("requests that come together with different certificates each show their own", async () => {
  const { authority } = await testIdentity();
  const seen: string[] = [];
  await using server = await openScriptedServer(
    (request, response) => {
      const { CN } = (response.socket as TLSSocket).getPeerCertificate().subject;
      seen.push(`${request.url} ${String(CN)}`);
      sendJson(response, 200, podOf("a", 1));
    },
    { clientAuthority: authority.certificate },
  );
  await using transport = new HttpsTransport({ certificateAuthority: server.authority });
  const shown: (readonly [string, CertificatePair])[] = [];
  for (const commonName of ["one", "two"]) {
    const options = { commonName, usage: "client", now: Date.now, lifetimeMs: HOUR } as const;
    shown.push([commonName, await issueCertificate(authority, options)]);
  }
  const answers = await Promise.all(
    shown.map(([path, certificate]) => transport.send(new Request(`${server.url}/${path}`), { certificate })),
  );
  for (const answer of answers) await answer.text();
  assert.deepEqual(seen.toSorted(), ["/one one", "/two two"]);
});

test("requests go through the proxy that a kubeconfig names", async () => {
  await using server = await openScriptedServer((_, response) => sendJson(response, 200, podOf("a", 1)));
  const tunnels: unknown[] = [];
  const sockets = new Set<Socket>();
  const proxy = createHttpServer().on("connect", (request: IncomingMessage, socket: Socket) => {
    tunnels.push(request.url);
    const { hostname, port } = new URL(server.url);
    const onward = connectTcp(Number(port), hostname, () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      socket.pipe(onward).pipe(socket);
    });
    for (const one of [socket, onward]) sockets.add(one.on("error", () => {}));
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const { port } = proxy.address() as AddressInfo;
  const certificateAuthority = server.authority;
  const base = { server: server.url, namespace: "default", certificateAuthority };
  const connected = connectToCluster({
    ...base,
    proxy: `http://127.0.0.1:${port}`,
    credentials: fixedCredential({}),
  });
  const pod = await connected.client.resource(PODS).get("a");
  assert.equal(pod.metadata.name, "a");
  assert.deepEqual(tunnels, [new URL(server.url).host]);
  await connected.close();
  for (const socket of sockets) socket.destroy();
  proxy.close();
});

test("warnings are told one by one", async () => {
  const warning = ['299 - "a \\"b\\", c"', '299 - "d"'];
  await using server = await openScriptedServer((_, response) =>
    sendJson(response, 200, podOf("a", 1), { warning }),
  );
  const heard: string[] = [];
  await server
    .client({ onWarning: (text) => void heard.push(text) })
    .resource(PODS)
    .get("a");
  assert.deepEqual(heard, ['a "b", c', "d"]);
});

test("a handler in this process is a server like any other", async () => {
  const urls: string[] = [];
  const client = new KubernetesClient({
    server: "http://embedded/prefix/",
    transport: (request) => {
      urls.push(`${request.method} ${request.url}`);
      return Promise.resolve(Response.json(podOf("a", 1)));
    },
  });
  await client.resource(PODS).get("a");
  assert.deepEqual(urls, ["GET http://embedded/prefix/api/v1/namespaces/default/pods/a"]);
});
