import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { test } from "node:test";

import { StubRegistry } from "../../test/stub-registry.ts";
import { ClientError, type ClientErrorCode } from "./errors.ts";
import type { HttpRequest } from "./http.ts";
import { SocketTransport } from "./socket-transport.ts";

const code =
  (expected: ClientErrorCode) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof ClientError, String(error));
    assert.equal(error.code, expected, error.message);
    return true;
  };

function get(domain: string, path = "/", extra: Partial<HttpRequest> = {}): HttpRequest {
  return { method: "GET", url: new URL(`http://${domain}${path}`), headers: {}, ...extra };
}

/** A server that says these bytes to each connection, after the first request. */
async function speak(
  onRequest: (socket: Socket, head: string) => void,
): Promise<AsyncDisposable & { domain: string }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", (data) => onRequest(socket, data.toString("latin1")));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    domain: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("answers one after the other come over one connection", async () => {
  await using stub = await StubRegistry.start(() => ({ body: "hello" }));
  await using transport = new SocketTransport();
  for (let i = 0; i < 3; i++) {
    const response = await transport.send(get(stub.domain));
    assert.equal(Buffer.from(await response.bytes(10)).toString(), "hello");
  }
  const head = await transport.send(get(stub.domain, "/", { method: "HEAD" }));
  assert.equal(head.header("content-length"), "5");
  await head.discard();
  assert.equal((await transport.send(get(stub.domain))).status, 200);
  assert.equal(stub.connections, 1);
});

test("a kept connection that the server closed is replaced without anybody noticing", async () => {
  await using stub = await StubRegistry.start(() => ({ body: "hello" }));
  await using transport = new SocketTransport();
  await (await transport.send(get(stub.domain))).discard();
  stub.cutConnections();
  assert.equal((await transport.send(get(stub.domain))).status, 200);
  assert.equal(stub.connections, 2);
});

test("a large body arrives whole through small buffers, at the pace of a slow consumer", async () => {
  const body = Buffer.alloc(700_000);
  for (let i = 0; i < body.length; i++) body[i] = (i * 31) % 251;
  await using stub = await StubRegistry.start(() => ({ body }));
  await using transport = new SocketTransport({ bufferSize: 16 * 1024 });
  const response = await transport.send(get(stub.domain));
  const parts: Buffer[] = [];
  let busy = false;
  await response.pump(async (chunk) => {
    assert.equal(busy, false, "one chunk at a time");
    busy = true;
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
    // Copied only now: the memory must not have been written to meanwhile.
    parts.push(Buffer.from(chunk));
    busy = false;
  });
  assert.deepEqual(Buffer.concat(parts), body);
});

test("a chunked body and one that ends with the connection are read to their ends", async () => {
  await using server = await speak((socket, head) => {
    if (head.startsWith("GET /chunked")) {
      socket.write("HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-enc");
      setImmediate(() => socket.write("oding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"));
    } else socket.end("HTTP/1.0 200 OK\r\n\r\nuntil the end");
  });
  await using transport = new SocketTransport();
  assert.equal(
    Buffer.from(await (await transport.send(get(server.domain, "/chunked"))).bytes(100)).toString(),
    "abcde",
  );
  assert.equal(
    Buffer.from(await (await transport.send(get(server.domain, "/close"))).bytes(100)).toString(),
    "until the end",
  );
});

test("heads of nearly 64 KiB are read, longer ones refused", async () => {
  await using stub = await StubRegistry.start(({ url }) => ({
    headers: { "x-long": "y".repeat(Number(url.slice(1))) },
  }));
  await using transport = new SocketTransport();
  assert.equal((await transport.send(get(stub.domain, "/65000"))).header("x-long")?.length, 65_000);
  await assert.rejects(transport.send(get(stub.domain, "/66000")), code("RESPONSE_INVALID"));
});

test("a body that breaks off is told from one that ended", async () => {
  await using stub = await StubRegistry.start(() => ({ body: "hello world", cutAfter: 5 }));
  await using transport = new SocketTransport();
  const response = await transport.send(get(stub.domain));
  let received = "";
  await assert.rejects(
    response.pump((chunk) => {
      received += Buffer.from(chunk).toString();
    }),
    code("NETWORK_RESET"),
  );
  assert.equal(received, "hello");
});

test("a consumer's error stops the transfer and comes back as it is", async () => {
  await using stub = await StubRegistry.start(() => ({ body: Buffer.alloc(1_000_000) }));
  await using transport = new SocketTransport();
  const reason = new Error("full");
  const response = await transport.send(get(stub.domain));
  await assert.rejects(
    response.pump(() => {
      throw reason;
    }),
    (error) => error === reason,
  );
});

test("a silent server is given up after the idle time", async () => {
  await using stub = await StubRegistry.start(() => ({ silent: true }));
  await using transport = new SocketTransport({ idleTimeout: 20 });
  await assert.rejects(transport.send(get(stub.domain)), code("NETWORK_TIMEOUT"));
});

test("a body that stops is given up sooner than an answer that never begins", async () => {
  await using stub = await StubRegistry.start(() => ({
    body: "x",
    headers: { "content-length": "10" },
  }));
  await using transport = new SocketTransport({ idleTimeout: 60_000, bodyTimeout: 20 });
  const response = await transport.send(get(stub.domain));
  await assert.rejects(
    response.pump(() => {}),
    code("NETWORK_TIMEOUT"),
  );
});

test("an abort over a connection that served before isn't taken for a server that closed it", async () => {
  await using stub = await StubRegistry.start(({ url }) =>
    url === "/silent" ? { silent: true } : { body: "x" },
  );
  await using transport = new SocketTransport();
  await (await transport.send(get(stub.domain, "/first"))).pump(() => {});
  const stop = new AbortController();
  const waiting = transport.send(get(stub.domain, "/silent", { signal: stop.signal }));
  while (stub.requests.length < 2) await new Promise(setImmediate);
  const reason = new ClientError("NETWORK_TIMEOUT", "Cannot go on: it took too long");
  stop.abort(reason);
  await assert.rejects(waiting, (error) => error === reason);
  assert.equal(stub.requests.length, 2);
});

test("an abort ends the wait for an answer, and the reading of a body", async () => {
  await using stub = await StubRegistry.start(({ url }) =>
    url === "/silent" ? { silent: true } : { body: Buffer.alloc(5_000_000) },
  );
  await using transport = new SocketTransport();
  const reason = new Error("enough");
  const first = new AbortController();
  const waiting = transport.send(get(stub.domain, "/silent", { signal: first.signal }));
  while (stub.requests.length === 0) await new Promise(setImmediate);
  first.abort(reason);
  await assert.rejects(waiting, (error) => error === reason);
  const second = new AbortController();
  const response = await transport.send(get(stub.domain, "/body", { signal: second.signal }));
  await assert.rejects(
    response.pump(() => second.abort(reason)),
    (error) => error === reason,
  );
});

test("a request's body is streamed with its length, or in chunks without one", async () => {
  await using stub = await StubRegistry.start(({ body }) => ({ body: String(body.length) }));
  await using transport = new SocketTransport();
  const part = new Uint8Array(100_000);
  const pump = async (consume: (chunk: Uint8Array) => void | Promise<void>): Promise<void> => {
    for (let i = 0; i < 20; i++) await consume(part.fill(i));
  };
  for (const length of [2_000_000, undefined]) {
    const response = await transport.send(get(stub.domain, "/", { method: "PUT", body: { length, pump } }));
    assert.equal(Buffer.from(await response.bytes(100)).toString(), "2000000");
    const { headers, body } = stub.requests.at(-1) ?? assert.fail();
    assert.equal(headers["content-length"], length === undefined ? undefined : "2000000");
    assert.ok(Array.from({ length: 20 }, (_, i) => body[i * 100_000 + 5] === i).every(Boolean));
  }
});

test("an answer before the end of the request stops the sending", async () => {
  await using server = await speak((socket) => {
    socket.write("HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno");
    socket.pause();
  });
  await using transport = new SocketTransport();
  const part = new Uint8Array(1 << 20);
  let parts = 0;
  const response = await transport.send(
    get(server.domain, "/", {
      method: "PUT",
      body: {
        length: 1000 * part.length,
        async pump(consume) {
          for (; parts < 1000; parts++) await consume(part);
        },
      },
    }),
  );
  assert.equal(response.status, 413);
  assert.equal(Buffer.from(await response.bytes(10)).toString(), "no");
  assert.ok(parts < 1000);
});

test("a source that fails is reported as itself, and one that lies about its length as SIZE_INVALID", async () => {
  await using stub = await StubRegistry.start(() => ({}));
  await using transport = new SocketTransport();
  const reason = new Error("disk");
  const put = (body: HttpRequest["body"]): HttpRequest => get(stub.domain, "/", { method: "PUT", body });
  await assert.rejects(
    transport.send(put({ length: 5, pump: () => Promise.reject(reason) })),
    (error) => error === reason,
  );
  await assert.rejects(
    transport.send(put({ length: 5, pump: async (consume) => consume(new Uint8Array(4)) })),
    code("SIZE_INVALID"),
  );
  await assert.rejects(
    transport.send(put({ length: 5, pump: async (consume) => consume(new Uint8Array(6)) })),
    code("SIZE_INVALID"),
  );
});

test("a header value can't smuggle a line", async () => {
  await using transport = new SocketTransport();
  await assert.rejects(transport.send(get("127.0.0.1:1", "/", { headers: { x: "a\r\nb: c" } })), TypeError);
});

test("a proxy is asked with the whole address, and for a tunnel to https servers", async () => {
  await using stub = await StubRegistry.start(({ url }) => ({ body: url }));
  await using transport = new SocketTransport({
    proxy: () => new URL(`http://me:pass%20word@${stub.domain}`),
  });
  const response = await transport.send(get("registry.example", "/v2/?a=b"));
  assert.equal(Buffer.from(await response.bytes(100)).toString(), "http://registry.example/v2/?a=b");
  assert.equal(stub.requests[0]?.headers["proxy-authorization"], `Basic ${btoa("me:pass word")}`);
  await using refusing = await speak((socket, head) => {
    assert.match(head, /^CONNECT registry\.example:443 HTTP\/1\.1\r\n/);
    socket.write("HTTP/1.1 403 Forbidden\r\n\r\n");
  });
  await using tunnelled = new SocketTransport({ proxy: () => new URL(`http://${refusing.domain}`) });
  await assert.rejects(
    tunnelled.send({ ...get("x"), url: new URL("https://registry.example/") }),
    code("PROXY_FAILED"),
  );
});

test("plain HTTP where TLS was expected is told apart", async () => {
  await using stub = await StubRegistry.start(() => ({}));
  await using transport = new SocketTransport();
  const url = new URL(`https://${stub.domain}/`);
  await assert.rejects(
    transport.send({ ...get("x"), url, tls: { skipVerify: true } }),
    code("TLS_NOT_SPOKEN"),
  );
});

test("nobody listening is NETWORK_REFUSED", async () => {
  await using transport = new SocketTransport();
  // A port that the system gives to nobody who asks for any.
  await assert.rejects(transport.send(get("127.0.0.1:1")), code("NETWORK_REFUSED"));
});

test("close() ends what is under way, and every idle connection", async () => {
  await using stub = await StubRegistry.start(({ url }) =>
    url === "/silent" ? { silent: true } : { body: "x" },
  );
  const transport = new SocketTransport();
  const open = await Promise.all([1, 2, 3].map(() => transport.send(get(stub.domain))));
  for (const response of open) await response.discard();
  const waiting = transport.send(get(stub.domain, "/silent"));
  while (!stub.log.includes("GET /silent")) await new Promise(setImmediate);
  await transport.close();
  await assert.rejects(waiting, code("NETWORK_RESET"));
  await assert.rejects(transport.send(get(stub.domain)), code("NETWORK_RESET"));
  while (stub.open > 0) await new Promise(setImmediate);
});
