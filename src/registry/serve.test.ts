import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { request as httpsRequest } from "node:https";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { digestOf, MEDIA_TYPES, type Digest } from "../oci/index.ts";
import { MemoryBlobStore } from "../store/index.ts";
import { RegistryError } from "./errors.ts";
import type { RegistryOptions } from "./registry.ts";
import { serveRegistry, type ListenOptions, type ServedRegistry } from "./serve.ts";
import { openSqliteMetadata } from "./sqlite-metadata.ts";

const folder = await mkdtemp(join(tmpdir(), "dray-serve-"));
after(() => rm(folder, { recursive: true }));

function serveInMemory(options: Partial<RegistryOptions> & ListenOptions = {}): Promise<ServedRegistry> {
  const metadata = openSqliteMetadata(":memory:");
  return serveRegistry({ blobs: new MemoryBlobStore(), metadata, port: 0, ...options });
}

function urlOf(served: ServedRegistry, path: string): string {
  return `http://${served.address}:${served.port}${path}`;
}

/** A client that says exactly what it is told to, and remembers all it hears. */
class RawClient {
  readonly socket: Socket;
  heard = "";
  #news = Promise.withResolvers<void>();

  constructor(served: ServedRegistry) {
    this.socket = connect(served.port, served.address).setEncoding("latin1");
    this.socket.on("data", (text: string) => {
      this.heard += text;
      this.#wake();
    });
    this.socket.on("close", () => this.#wake()).on("error", () => this.#wake());
  }

  say(...lines: readonly string[]): void {
    this.socket.write(lines.join("\r\n"), "latin1");
  }

  async hear(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.heard);
      if (match !== null) return match;
      assert.equal(this.socket.destroyed, false, `closed before ${String(pattern)}: ${this.heard}`);
      await this.#news.promise;
    }
  }

  async closed(): Promise<void> {
    while (!this.socket.closed) await this.#news.promise;
  }

  #wake(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}

async function begin(served: ServedRegistry): Promise<string> {
  const answer = await fetch(urlOf(served, "/v2/app/blobs/uploads/"), { method: "POST" });
  return answer.headers.get("location") as string;
}

async function offsetOf(served: ServedRegistry, location: string): Promise<string | null> {
  return (await fetch(urlOf(served, location))).headers.get("range");
}

async function pushBlob(served: ServedRegistry, bytes: Buffer): Promise<Digest> {
  const digest = digestOf(bytes);
  const url = urlOf(served, `/v2/app/blobs/uploads/?digest=${digest}`);
  assert.equal((await fetch(url, { method: "POST", body: new Uint8Array(bytes) })).status, 201);
  return digest;
}

test("several requests on one connection are answered in their order, HEAD without a body", async () => {
  await using served = await serveInMemory();
  const digest = await pushBlob(served, Buffer.from("content"));
  const client = new RawClient(served);
  const path = `/v2/app/blobs/${digest}`;
  client.say(`HEAD ${path} HTTP/1.1`, "Host: x", "", `GET ${path} HTTP/1.1`, "Host: x", "", "");
  client.say("GET /v2/ HTTP/1.1", "Host: x", "Connection: close", "", "");
  await client.closed();
  const answers = client.heard.split("HTTP/1.1 ").slice(1);
  assert.equal(answers.length, 3);
  assert.match(answers[0] as string, /^200 OK\r\n[^]*Content-Length: 7\r\n[^]*\r\n\r\n$/i);
  assert.match(answers[1] as string, /\r\n\r\ncontent$/);
  assert.match(answers[2] as string, /\r\n\r\n\{\}$/);
});

test("a request line may have the whole URL, as proxies leave it", async () => {
  await using served = await serveInMemory();
  const client = new RawClient(served);
  client.say("GET http://example.test/v2/app/tags/list?n=x HTTP/1.1", "Host: example.test", "", "");
  await client.hear(/^HTTP\/1\.1 400 [^]*PAGINATION_NUMBER_INVALID/);
  client.heard = "";
  client.say("GET HTTP://example.test HTTP/1.1", "Host: example.test", "Connection: close", "", "");
  await client.hear(/^HTTP\/1\.1 404 [^]*There is nothing at this path/);
});

test("a body that waits for 100 Continue is asked for only when it is wanted", async () => {
  await using served = await serveInMemory();
  const location = await begin(served);
  const wanted = new RawClient(served);
  wanted.say(`PATCH ${location} HTTP/1.1`, "Host: x", "Content-Length: 4", "Expect: 100-continue", "", "");
  await wanted.hear(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
  wanted.say("body");
  await wanted.hear(/HTTP\/1\.1 202 /);
  wanted.socket.destroy();
  assert.equal(await offsetOf(served, location), "0-3");

  const unwanted = new RawClient(served);
  unwanted.say("PUT /v2/app/blobs/uploads/none HTTP/1.1", "Host: x", "Content-Length: 4");
  unwanted.say("", "Expect: 100-continue", "", "");
  unwanted.socket.on("data", () => unwanted.socket.end());
  await unwanted.closed();
  assert.match(unwanted.heard, /^HTTP\/1\.1 400 [^]*connection: close/i);
  assert.doesNotMatch(unwanted.heard, /100 Continue/);
});

test("after a refusal a short body is skipped, a long one ends the connection", async () => {
  await using served = await serveInMemory();
  const short = new RawClient(served);
  short.say("PATCH /v2/app/blobs/uploads/none HTTP/1.1", "Host: x", "Content-Length: 4", "", "body");
  await short.hear(/404 [^]*BLOB_UPLOAD_UNKNOWN/);
  short.say("GET /v2/ HTTP/1.1", "Host: x", "", "");
  await short.hear(/HTTP\/1\.1 200 /);
  short.socket.destroy();

  const long = new RawClient(served);
  long.say("PATCH /v2/app/blobs/uploads/none HTTP/1.1", "Host: x", "Content-Length: 99999999", "", "");
  const block = "x".repeat(64 * 1024);
  const write = (): void => {
    while (!long.socket.destroyed && long.socket.write(block));
  };
  long.socket.on("drain", write);
  write();
  await long.hear(/404 [^]*connection: close[^]*BLOB_UPLOAD_UNKNOWN/i);
  await long.closed();
});

test("a client that leaves in the middle of a chunk finds what it sent, and goes on from there", async () => {
  await using served = await serveRegistry({ dir: join(folder, "cut"), port: 0 });
  const location = await begin(served);
  const client = new RawClient(served);
  client.say(`PATCH ${location} HTTP/1.1`, "Host: x", "Content-Length: 10", "", "01234");
  // It goes when the other side has read what it sent.
  for (let looks = 0; looks < 10_000 && (await offsetOf(served, location)) !== "0-4"; looks++);
  client.socket.destroy();
  const url = urlOf(served, `${location}?digest=${digestOf("0123456789")}`);
  const headers = { "content-range": "5-9" };
  assert.equal((await fetch(url, { method: "PUT", body: "56789", headers })).status, 201);
});

test("uploads go on after a restart", async () => {
  const dir = join(folder, "restart");
  const bytes = Buffer.from("0123456789");
  let location: string;
  {
    await using served = await serveRegistry({ dir, port: 0 });
    location = await begin(served);
    const answer = await fetch(urlOf(served, location), { method: "PATCH", body: bytes.subarray(0, 4) });
    assert.equal(answer.status, 202);
  }
  await using served = await serveRegistry({ dir, port: 0 });
  assert.equal(await offsetOf(served, location), "0-3");
  const url = urlOf(served, `${location}?digest=${digestOf(bytes, "sha512")}`);
  assert.equal((await fetch(url, { method: "PUT", body: bytes.subarray(4) })).status, 201);
});

test("a large upload that is cut off goes on where it was, over however many requests", async () => {
  await using served = await serveRegistry({ dir: join(folder, "large"), port: 0 });
  const bytes = randomBytes(5_000_000);
  const location = await begin(served);
  const cut = new RawClient(served);
  cut.say(`PATCH ${location} HTTP/1.1`, "Host: r", `Content-Length: ${bytes.length}`, "", "");
  await new Promise((resolve) => cut.socket.write(bytes.subarray(0, 3_000_000), resolve));
  cut.socket.end();
  await cut.closed();
  const held = Number((await offsetOf(served, location))?.split("-")[1]) + 1;
  assert.ok(held > 1_000_000 && held <= 3_000_000, `${held} bytes are held`);
  const send = async (method: string, target: string, part: Uint8Array<ArrayBuffer>): Promise<number> =>
    (await fetch(urlOf(served, target), { method, body: part })).status;
  assert.equal(await send("PATCH", location, bytes.subarray(held, 4_000_000)), 202);
  const digest = digestOf(bytes);
  assert.equal(await send("PUT", `${location}?digest=${digest}`, bytes.subarray(4_000_000)), 201);
  const answer = await fetch(urlOf(served, `/v2/app/blobs/${digest}`));
  assert.deepEqual(Buffer.from(await answer.arrayBuffer()), bytes);
});

test("two registries on one folder see each other's pushes at once, cached or not", async () => {
  const dir = join(folder, "shared");
  await using one = await serveRegistry({ dir, port: 0 });
  await using two = await serveRegistry({ dir, port: 0 });
  for (let round = 0; round < 5; round++) {
    const document = { schemaVersion: 2, manifests: [], annotations: { round: String(round) } };
    const body = JSON.stringify({ mediaType: MEDIA_TYPES.ociIndex, ...document });
    const headers = { "content-type": MEDIA_TYPES.ociIndex };
    const [writer, reader] = round % 2 === 0 ? [one, two] : [two, one];
    const path = "/v2/app/manifests/latest";
    assert.equal((await fetch(urlOf(writer, path), { method: "PUT", body, headers })).status, 201);
    for (let read = 0; read < 2; read++) assert.equal(await (await fetch(urlOf(reader, path))).text(), body);
  }
  const location = await begin(one);
  assert.equal((await fetch(urlOf(one, location), { method: "PATCH", body: "half" })).status, 202);
  assert.equal((await fetch(urlOf(two, location), { method: "PATCH", body: "half" })).status, 202);
  assert.equal(await offsetOf(one, location), "0-7");
});

test("closing lets a request under way finish, and takes no new ones", async () => {
  const served = await serveInMemory();
  const location = await begin(served);
  const client = new RawClient(served);
  client.say(`PATCH ${location} HTTP/1.1`, "Host: x", "Content-Length: 4", "Expect: 100-continue", "", "");
  await client.hear(/100 Continue/);
  const closed = served.close();
  client.say("body");
  await client.hear(/HTTP\/1\.1 202 /);
  await closed;
  await assert.rejects(fetch(urlOf(served, "/v2/")));
});

test("closing does not wait longer than its deadline for a request that hangs", async () => {
  const served = await serveInMemory({ drainTimeout: 50 });
  const location = await begin(served);
  const client = new RawClient(served);
  client.say(`PATCH ${location} HTTP/1.1`, "Host: x", "Content-Length: 4", "Expect: 100-continue", "", "");
  await client.hear(/100 Continue/);
  await served.close();
  await client.closed();
});

test("closing does not wait for an answer of authorize() that never comes", { timeout: 60_000 }, async () => {
  const asked = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const waiting = asked.map(({ promise }) => promise);
  const failures: unknown[] = [];
  const served = await serveRegistry({
    dir: join(folder, "asked"),
    port: 0,
    drainTimeout: 50,
    authorize: () => {
      asked.pop()?.resolve();
      return new Promise(() => {});
    },
    onFailure: (error) => failures.push(error),
  });
  const clients = [new RawClient(served), new RawClient(served)] as const;
  clients[0].say("DELETE /v2/app/manifests/latest HTTP/1.1", "Host: x", "", "");
  clients[1].say("PUT /v2/app/manifests/latest HTTP/1.1", "Host: x", "Content-Length: 99999", "", "begun");
  await Promise.all(waiting);
  await served.close();
  for (const client of clients) {
    await client.closed();
    assert.equal(client.heard, "");
  }
  assert.deepEqual(failures, []);
});

test("every answer is told, with its status", async () => {
  const told: string[] = [];
  await using served = await serveInMemory({
    onAnswer: ({ method, target, status }) => told.push(`${method} ${target} ${status}`),
  });
  await fetch(urlOf(served, "/v2/"));
  await fetch(urlOf(served, "/v2/app/tags/list?n=1"), { method: "HEAD" });
  assert.deepEqual(told, ["GET /v2/ 200", "HEAD /v2/app/tags/list?n=1 404"]);
});

test("an aborted signal closes the registry", async () => {
  const controller = new AbortController();
  const served = await serveInMemory({ signal: controller.signal });
  controller.abort();
  await served.close();
  await assert.rejects(fetch(urlOf(served, "/v2/")));
});

test("a taken port, an unknown address and a bad certificate are named in one sentence", async () => {
  await using served = await serveInMemory();
  const cases: [Partial<ListenOptions>, string, RegExp][] = [
    [
      { port: served.port },
      "ADDRESS_IN_USE",
      /^Cannot serve the registry on "127\.0\.0\.1:\d+": something else/,
    ],
    [{ host: "192.0.2.1" }, "ADDRESS_UNAVAILABLE", /this machine has no such address$/],
    [{ tls: { cert: "no", key: "no" } }, "TLS_INVALID", /the certificate and key cannot be used/],
  ];
  for (const [options, code, message] of cases) {
    await assert.rejects(serveInMemory(options), (error: unknown) => {
      assert.ok(error instanceof RegistryError);
      assert.equal(error.code, code);
      assert.match(error.message, message);
      return true;
    });
  }
});

test("over TLS it serves the same", async (context) => {
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  try {
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"];
    const kind = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    execFileSync("openssl", [...kind, "-keyout", key, "-out", cert, ...subject], { stdio: "ignore" });
  } catch {
    return context.skip("this machine has no openssl to make a certificate with");
  }
  const { readFileSync } = await import("node:fs");
  const tls = { key: readFileSync(key), cert: readFileSync(cert) };
  await using served = await serveInMemory({ tls });
  const { address, port } = served;
  const request = httpsRequest({ host: address, port, path: "/v2/", ca: tls.cert, agent: false }).end();
  const [response] = await once(request, "response");
  assert.equal(response.statusCode, 200);
  response.resume();
  await once(response, "end");
});
