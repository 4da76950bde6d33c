import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Agent, request, type RequestOptions } from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";

import { configMap, openTestApi, type TestApi } from "../testing.ts";
import { toListener } from "./listen.ts";

const MAPS = "/api/v1/namespaces/default/configmaps";
/** Milliseconds for what has to come about, also on a machine that has other work. */
const PATIENCE = 120_000;

describe("a server on a port", () => {
  it("speaks HTTPS with a certificate that its authority vouches for", async () => {
    await using api = await openTestApi();
    await using client = await openClient(api);
    const made = await client.send("POST", MAPS, { body: JSON.stringify(configMap("a")) });
    assert.equal(made.code, 201);
    const { code, text } = await client.send("GET", `${MAPS}/a`);
    assert.deepEqual([code, (JSON.parse(text) as { kind: string }).kind], [200, "ConfigMap"]);
    assert.equal((await client.send("HEAD", `${MAPS}/a`)).text, "");
  });

  it("keeps its certificates over a restart", async () => {
    await using api = await openTestApi();
    const first = await api.server.listen({ port: 0 });
    await api.restart();
    assert.equal((await api.server.listen({ port: 0 })).authority, first.authority);
  });

  it("answers before it has read a body that it doesn't want", async () => {
    await using api = await openTestApi();
    await using client = await openClient(api);
    const body = JSON.stringify({ ...configMap("a"), data: { a: "x".repeat(5 * 1024 * 1024) } });
    assert.equal((await client.send("POST", MAPS, { body })).code, 413);
    assert.equal((await client.send("POST", MAPS, { body, token: "wrong" })).code, 401);
    assert.equal((await client.send("POST", "/nosuch", { body: "{}" })).code, 404);
    assert.equal((await client.send("GET", MAPS)).code, 200);
    assert.deepEqual(api.failures, []);
  });

  it("reads on while somebody still writes what it doesn't want, however slowly, and no longer", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const refuse = async ({ body }: Request): Promise<Response> => {
      await body?.cancel();
      return new Response("no", { status: 413 });
    };
    const listener = toListener({ fetch: refuse });
    const heard = new EventEmitter();
    const server = createServer((incoming, outgoing) => {
      listener(incoming, outgoing);
      incoming.on("data", () => heard.emit("piece", outgoing));
    });
    const socket = await connectTo(t, server);
    socket.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n");
    const [answer] = (await once(socket, "data")) as [Buffer];
    assert.match(String(answer), /^HTTP\/1\.1 413 /);
    for (let piece = 0; piece < 3; piece++) {
      socket.write("x");
      const [outgoing] = (await once(heard, "piece")) as [ServerResponse];
      t.mock.timers.tick(1500);
      await nextTurn();
      assert.equal(outgoing.writableEnded, false);
    }
    const ended = once(socket.resume(), "end");
    t.mock.timers.tick(2000);
    await ended;
  });

  it("keeps nothing of the times when a reader was slow", async (t) => {
    const pieces = Array.from({ length: 50 }, () => new Uint8Array(256 * 1024));
    const listener = toListener({ fetch: async () => new Response(ReadableStream.from(pieces)) });
    const counts: number[] = [];
    const server = createServer((incoming, outgoing) => {
      outgoing.on("drain", () => counts.push(outgoing.listenerCount("close")));
      listener(incoming, outgoing);
    });
    const socket = await connectTo(t, server);
    socket.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    await once(socket.resume(), "end");
    assert.ok(counts.length > 10, `${counts.length}`);
    assert.deepEqual(new Set(counts).size, 1);
  });

  it("sends each warning on a line of its own", async () => {
    await using api = await openTestApi();
    await using client = await openClient(api);
    const body = JSON.stringify({ ...configMap("a"), one: 1, 'two, 299 - "x': 2 });
    const answer = await client.open("POST", MAPS, { body });
    answer.resume();
    assert.deepEqual(answer.headersDistinct["warning"], [
      '299 - "unknown field \\"one\\""',
      '299 - "unknown field \\"two, 299 - \\\\\\"x\\""',
    ]);
  });

  it("streams a watch from its first moment to its end", async () => {
    await using api = await openTestApi();
    await using client = await openClient(api);
    const watch = await client.open("GET", `${MAPS}?watch=1`);
    assert.equal(watch.statusCode, 200);
    watch.setEncoding("utf8");
    const lines: string[] = [];
    const came = new Promise<void>((resolve) => {
      watch.on("data", (part: string) => {
        lines.push(part);
        resolve();
      });
    });
    await api.call("POST", MAPS, { body: configMap("a") });
    await came;
    assert.match(lines.join(""), /^\{"type":"ADDED".*"name":"a"/);
    const ended = new Promise((resolve) => watch.once("end", resolve));
    await api.server.close();
    await ended;
    assert.deepEqual(api.failures, []);
  });

  it("forgets a watch whose client is gone", async () => {
    await using api = await openTestApi();
    await using client = await openClient(api);
    const watch = await client.open("GET", `${MAPS}?watch=1`);
    const gone = new Promise((resolve) => watch.once("close", resolve));
    watch.on("error", () => {});
    watch.destroy();
    await gone;
    const end = performance.now() + PATIENCE;
    for (;;) {
      const { text } = await api.call("GET", "/metrics");
      if (text.includes('apiserver_longrunning_requests{verb="WATCH"} 0')) break;
      assert.ok(performance.now() < end, "the watch is still there");
      await nextTurn();
    }
    assert.deepEqual(api.failures, []);
  });

  it("says what stands in the way of its port", async () => {
    await using api = await openTestApi();
    await using other = await openTestApi();
    const { port } = await api.server.listen({ port: 0 });
    await assert.rejects(other.server.listen({ port }), {
      code: "ADDRESS_IN_USE",
      message: `Cannot serve the Kubernetes API on "127.0.0.1:${port}": something else listens on that port; stop it or choose another port`,
    });
  });
});

interface Sent {
  readonly body?: string;
  readonly token?: string;
}

interface Client extends AsyncDisposable {
  open(method: string, path: string, sent?: Sent): Promise<IncomingMessage>;
  send(method: string, path: string, sent?: Sent): Promise<{ readonly code: number; readonly text: string }>;
}

/** Both ends go with the test, whatever becomes of it: what is left open keeps the process. */
async function connectTo(t: TestContext, server: Server): Promise<Socket> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  t.after(() => {
    socket.destroy();
    server.closeAllConnections();
    server.close();
  });
  return socket;
}

async function openClient(api: TestApi): Promise<Client> {
  const { port, authority } = await api.server.listen({ port: 0 });
  const agent = new Agent({ keepAlive: true, ca: authority });
  const open: Client["open"] = (method, path, sent = {}) =>
    new Promise((resolve, reject) => {
      const { body, token = api.server.adminToken.reveal() } = sent;
      const headers = {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
        }),
      };
      const options: RequestOptions = { host: "127.0.0.1", port, agent, method, path, headers };
      const outgoing = request(options, resolve);
      outgoing.on("error", reject);
      outgoing.end(body);
    });
  return {
    open,
    send: async (method, path, sent) => {
      const incoming = await open(method, path, sent);
      let text = "";
      for await (const part of incoming.setEncoding("utf8")) text += String(part);
      return { code: incoming.statusCode ?? 0, text };
    },
    [Symbol.asyncDispose]: () => {
      agent.destroy();
      return Promise.resolve();
    },
  };
}
