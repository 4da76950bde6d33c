import assert from "node:assert/strict";
import { createServer, type ServerOptions } from "node:https";
import { connect, createServer as createTcpServer, type AddressInfo, type Socket } from "node:net";
import { test } from "node:test";

import { TEST_CA, TEST_CLIENT, TEST_SERVER } from "../../test/tls-fixture.ts";
import { ClientError, type ClientErrorCode } from "./errors.ts";
import type { TlsSettings } from "./http.ts";
import { SocketTransport } from "./socket-transport.ts";

const body = Buffer.alloc(900_000);
for (let i = 0; i < body.length; i++) body[i] = (i * 31) % 251;

const code =
  (expected: ClientErrorCode) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof ClientError, String(error));
    assert.equal(error.code, expected, error.message);
    return true;
  };

/** Answers every GET with the body, every PUT with what came, and counts its handshakes. */
async function serve(
  options: ServerOptions = {},
): Promise<AsyncDisposable & { port: number; handshakes: () => number }> {
  let handshakes = 0;
  const server = createServer({ ...TEST_SERVER, ...options }, (request, response) => {
    if (request.method === "GET") response.writeHead(200, { "content-length": body.length }).end(body);
    else request.pipe(response);
  });
  server.on("secureConnection", () => handshakes++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    handshakes: () => handshakes,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function read(transport: SocketTransport, address: string, tls: TlsSettings): Promise<Buffer> {
  const response = await transport.send({
    method: "GET",
    url: new URL(`https://${address}/`),
    headers: {},
    tls,
  });
  const parts: Buffer[] = [];
  await response.pump(async (chunk) => {
    // TLS hands over what it decrypted even while reading is paused; the memory in our hands must stay as it is.
    for (let turn = 0; turn < 2; turn++) await new Promise(setImmediate);
    parts.push(Buffer.from(chunk));
  });
  return Buffer.concat(parts);
}

test("a server whose authority is configured is trusted, and its connection used again", async () => {
  await using server = await serve();
  await using transport = new SocketTransport({ bufferSize: 20_000 });
  const address = `127.0.0.1:${server.port}`;
  assert.deepEqual(await read(transport, address, { ca: [TEST_CA] }), body);
  assert.deepEqual(await read(transport, address, { ca: [TEST_CA] }), body);
  assert.equal(server.handshakes(), 1);
});

test("a server nobody vouches for is refused, unless nothing is to be checked", async () => {
  await using server = await serve();
  await using transport = new SocketTransport();
  const address = `127.0.0.1:${server.port}`;
  await assert.rejects(read(transport, address, {}), code("TLS_UNKNOWN_AUTHORITY"));
  assert.deepEqual(await read(transport, address, { skipVerify: true }), body);
  await assert.rejects(read(transport, address, {}), code("TLS_UNKNOWN_AUTHORITY"));
});

test("a certificate for another name is refused", async () => {
  await using server = await serve();
  await using transport = new SocketTransport();
  await assert.rejects(
    read(transport, `localhost:${server.port}`, { ca: [TEST_CA] }),
    code("TLS_NAME_MISMATCH"),
  );
});

test("a server that wants a client certificate gets the configured one", async () => {
  await using server = await serve({ requestCert: true, rejectUnauthorized: true, ca: TEST_CA });
  await using transport = new SocketTransport();
  const address = `127.0.0.1:${server.port}`;
  assert.deepEqual(await read(transport, address, { ca: [TEST_CA], client: [TEST_CLIENT] }), body);
  await assert.rejects(read(transport, address, { ca: [TEST_CA] }));
});

test("bodies are sent over TLS, too", async () => {
  await using server = await serve();
  await using transport = new SocketTransport();
  const buffer = Buffer.alloc(10_000);
  const response = await transport.send({
    method: "PUT",
    url: new URL(`https://127.0.0.1:${server.port}/`),
    headers: {},
    tls: { ca: [TEST_CA] },
    body: {
      length: body.length,
      async pump(consume) {
        for (let at = 0; at < body.length; at += buffer.length) {
          const length = body.copy(buffer, 0, at);
          await consume(buffer.subarray(0, length));
          buffer.fill(0xff);
        }
      },
    },
  });
  assert.deepEqual(Buffer.from(await response.bytes(body.length)), body);
});

test("an https server is reached through a proxy's tunnel", async () => {
  await using server = await serve();
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const proxy = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", (data) => {
      asked.push(data.toString("latin1").split("\r\n")[0] ?? "");
      const through = connect(server.port, "127.0.0.1", () => {
        socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
        socket.pipe(through).pipe(socket);
      });
      sockets.add(through);
      through.on("error", () => {});
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  try {
    const url = new URL(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
    await using transport = new SocketTransport({ proxy: () => url });
    assert.deepEqual(await read(transport, `127.0.0.1:${server.port}`, { ca: [TEST_CA] }), body);
    assert.deepEqual(asked, [`CONNECT 127.0.0.1:${server.port} HTTP/1.1`]);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => proxy.close(resolve));
  }
});
