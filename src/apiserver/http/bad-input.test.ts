import assert from "node:assert/strict";
import { connect, type TLSSocket } from "node:tls";
import { describe, it } from "node:test";

import { configMap, openTestApi, pod, type TestApi, type TestCall } from "../testing.ts";

const PODS = "/api/v1/namespaces/default/pods";
const MAPS = "/api/v1/namespaces/default/configmaps";

interface Bad {
  readonly name: string;
  readonly method?: string;
  readonly path?: string;
  readonly call: TestCall;
  readonly code: number;
}

const deep = `${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`;

const BAD: readonly Bad[] = [
  { name: "broken JSON", call: { body: "{nope" }, code: 400 },
  { name: "no body", call: { body: "" }, code: 400 },
  { name: "JSON that goes on after its end", call: { body: '{"kind":"ConfigMap"} x' }, code: 400 },
  { name: "a list", call: { body: "[]" }, code: 400 },
  { name: "null", call: { body: "null" }, code: 422 },
  { name: "JSON without end", call: { body: deep }, code: 400 },
  { name: "bytes that are no text", call: { body: new Uint8Array([0xff, 0xfe, 0, 1]) }, code: 400 },
  { name: "broken YAML", call: { body: "a: [", type: "application/yaml" }, code: 400 },
  {
    name: "broken protobuf",
    call: { body: "k8s\0\xff", type: "application/vnd.kubernetes.protobuf" },
    code: 400,
  },
  { name: "no magic", call: { body: "abc", type: "application/vnd.kubernetes.protobuf" }, code: 400 },
  { name: "another type", call: { body: "a=b", type: "application/x-www-form-urlencoded" }, code: 415 },
  { name: "a wrong type of a field", call: { body: { ...configMap("a"), data: 7 } }, code: 400 },
  { name: "metadata that is none", call: { body: { ...configMap("a"), metadata: "x" } }, code: 400 },
  { name: "another kind", call: { body: pod("a") }, code: 400 },
  { name: "no name", call: { body: { ...configMap(""), metadata: {} } }, code: 422 },
  { name: "a name with capitals", call: { body: configMap("Bad_Name") }, code: 422 },
  { name: "a name that climbs", call: { body: configMap("../../etc/passwd") }, code: 422 },
  { name: "a name with a slash", call: { body: configMap("a/b") }, code: 422 },
  { name: "a name with a NUL", call: { body: configMap("a\0b") }, code: 422 },
  { name: "a name without end", call: { body: configMap("a".repeat(300)) }, code: 422 },
  { name: "a label that is none", call: { body: configMap("a", { labels: { "a b": "c" } }) }, code: 422 },
  { name: "another namespace", call: { body: configMap("a", { namespace: "kube-system" }) }, code: 400 },
  {
    name: "an unknown field, strictly",
    path: `${MAPS}?fieldValidation=Strict`,
    call: { body: { ...configMap("a"), dta: {} } },
    code: 400,
  },
  {
    name: "a repeated field, strictly",
    path: `${MAPS}?fieldValidation=Strict`,
    call: { body: '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"},"data":{},"data":{}}' },
    code: 400,
  },
  {
    name: "an option that is none",
    path: `${MAPS}?fieldValidation=Loose`,
    call: { body: configMap("a") },
    code: 422,
  },
  {
    name: "a manager that can't be printed",
    path: `${MAPS}?fieldManager=a%00b`,
    call: { body: configMap("a") },
    code: 422,
  },
  {
    name: "a namespace that climbs",
    path: "/api/v1/namespaces/..%2fdefault/configmaps",
    call: { body: configMap("a") },
    code: 400,
  },
  {
    name: "a namespace with capitals",
    path: "/api/v1/namespaces/DEFAULT/configmaps",
    call: { body: configMap("a") },
    code: 404,
  },
  {
    name: "an escape that is none",
    path: "/api/v1/namespaces/%zz/configmaps",
    call: { body: configMap("a") },
    code: 400,
  },
  { name: "a method that is none here", method: "PUT", call: { body: configMap("a") }, code: 405 },
  { name: "a method nobody knows", method: "BREW", call: { body: configMap("a") }, code: 405 },
  { name: "a path too long", path: `${MAPS}/a/status/more`, call: { body: configMap("a") }, code: 404 },
  {
    name: "a subresource that it hasn't",
    path: `${MAPS}/a/status`,
    call: { body: configMap("a") },
    code: 404,
  },
  {
    name: "an object where a collection is meant",
    path: `${MAPS}/a`,
    call: { body: configMap("a") },
    code: 405,
  },
  { name: "no namespace", path: "/api/v1/configmaps", call: { body: configMap("a") }, code: 405 },
  {
    name: "a namespaced path of what has none",
    path: "/api/v1/namespaces/default/nodes",
    call: { body: {} },
    code: 404,
  },
  {
    name: "options of a deletion that are none",
    method: "DELETE",
    path: `${MAPS}/a`,
    call: { body: { propagationPolicy: "Maybe" } },
    code: 422,
  },
  { name: "a deletion in broken JSON", method: "DELETE", path: `${MAPS}/a`, call: { body: "{" }, code: 400 },
  {
    name: "grace that is no number",
    method: "DELETE",
    path: `${MAPS}/a?gracePeriodSeconds=x`,
    call: {},
    code: 400,
  },
];

describe("bad input", () => {
  it("is refused with a Status, and leaves nothing behind", async () => {
    await using api = await openTestApi();
    const before = api.server.storage.revision;
    for (const { name, method = "POST", path = MAPS, call, code } of BAD) {
      const answer = await api.call(method, path, call);
      assert.equal(answer.code, code, `${name}: ${answer.text}`);
      assert.equal(answer.body.kind, "Status", name);
      assert.equal(answer.body["status"], "Failure", name);
      assert.equal(answer.body["code"], code, name);
    }
    assert.equal(api.server.storage.revision, before);
    assert.deepEqual(api.failures, []);
  });

  it("takes members that would be special elsewhere for what they are", async () => {
    await using api = await openTestApi();
    const text =
      '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"},"data":{"__proto__":"x","constructor":"y"}}';
    const { code, body } = await api.call("POST", MAPS, { body: text });
    assert.equal(code, 201);
    assert.deepEqual(Object.entries(body["data"] as object), [
      ["__proto__", "x"],
      ["constructor", "y"],
    ]);
    const read = await api.call("GET", `${MAPS}/a`);
    assert.ok(read.text.includes('"__proto__":"x"'));
    assert.equal((await api.call("GET", `${MAPS}/constructor`)).code, 404);
  });

  it("is refused when it is too large, whether or not it says so", async () => {
    await using api = await openTestApi();
    const body = JSON.stringify({ ...configMap("a"), data: { a: "x".repeat(3 * 1024 * 1024) } });
    const { code, body: status } = await api.call("POST", MAPS, { body });
    assert.deepEqual([code, status.reason], [413, "RequestEntityTooLarge"]);
    assert.equal(status.message, "Request entity too large: limit is 3145728");
    const chunk = new Uint8Array(64 * 1024).fill(0x20);
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        sent += chunk.length;
        controller.enqueue(chunk);
      },
    });
    const headers = { "content-type": "application/json" };
    const request = new Request(`https://api.test${MAPS}`, {
      method: "POST",
      headers,
      body: endless,
      duplex: "half",
    } as RequestInit);
    assert.equal((await api.server.transport()(request)).status, 413);
    assert.ok(sent < 5 * 1024 * 1024);
  });
});

describe("paths that nobody means well", () => {
  const TRICKS = [
    "/api/v1/namespaces/%2e%2e/secrets",
    "/api/v1/namespaces/default/../../../metrics",
    "/api/v1/namespaces/default/./secrets",
    "/api/v1/%2E%2e/healthz",
    "/api/v1/namespaces/.%2e/x",
    "/api/v1\\namespaces",
  ];

  it("are refused as they come from the wire, before anybody resolves them", async () => {
    await using api = await openTestApi();
    const { port, authority } = await api.server.listen({ port: 0 });
    const token = api.server.adminToken.reveal();
    for (const path of TRICKS) {
      const answer = await raw(
        { port, authority },
        `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`,
      );
      assert.match(answer, /^HTTP\/1\.1 400 /, path);
      assert.match(answer, /"kind":"Status"/, path);
    }
    const fine = await raw(
      { port, authority },
      `GET /api/v1/namespaces HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`,
    );
    assert.match(fine, /^HTTP\/1\.1 200 OK/);
  });

  it("don't keep the server from answering others", async () => {
    await using api = await openTestApi();
    const { port, authority } = await api.server.listen({ port: 0 });
    for (const bytes of [
      "\0\0\0\0\r\n\r\n",
      "GET\r\n\r\n",
      "GET / HTTP/9.9\r\n\r\n",
      "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ]) {
      assert.match(await raw({ port, authority }, bytes), /^HTTP\/1\.1 400 /);
    }
    assert.equal((await probe(api)).code, 200);
  });
});

function probe(api: TestApi): ReturnType<TestApi["call"]> {
  return api.call("GET", PODS);
}

/** Bytes as they are, which no client would send. */
function raw(to: { readonly port: number; readonly authority: string }, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connect({ host: "127.0.0.1", port: to.port, ca: to.authority }, () =>
      socket.write(bytes),
    );
    let text = "";
    socket.setEncoding("utf8");
    socket.on("data", (part: string) => (text += part));
    socket.on("end", () => {
      socket.end();
      resolve(text);
    });
    socket.on("error", reject);
  });
}
