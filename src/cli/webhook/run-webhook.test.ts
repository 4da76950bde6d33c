import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";

import { connect } from "node:tls";

import { createAuthority, issueCertificate } from "../../internal/certificates.ts";
import { findCommand } from "../catalogue.ts";
import { run } from "../run.ts";
import { createMemoryContext } from "../testing.ts";
import { type RunWebhookOptions, runWebhook } from "./run-webhook.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;

interface Running {
  readonly folder: string;
  readonly port: number;
  /** Asks it to end, and resolves when it has. */
  stop(): Promise<void>;
}

async function start(t: TestContext, options: Partial<RunWebhookOptions> = {}): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), "dray-webhook-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const ending = new AbortController();
  const listening = Promise.withResolvers<number>();
  const context = createMemoryContext({
    signal: ending.signal,
    now: () => Date.now(),
    cwd: folder,
    home: folder,
  });
  const running = runWebhook(
    {
      address: "127.0.0.1",
      port: 0,
      folder: join(folder, "webhook"),
      service: { namespace: "dray-system", name: "dray-webhook" },
      hosts: ["127.0.0.1"],
      cluster: {},
      connection: {},
      credentials: {},
      root: folder,
      json: false,
      onListening: ({ port }) => listening.resolve(port),
      ...options,
      // Of its own accord no review ends before its answer is there, however busy the machine is.
      settings: { alwaysPullImages: true, deadline: 600_000, ...options.settings },
    },
    context,
  );
  const stop = async (): Promise<void> => {
    ending.abort();
    await running;
  };
  // One that never began has told why already.
  t.after(() => stop().catch(() => {}));
  running.catch((error: unknown) => listening.reject(error));
  return { folder, port: await listening.promise, stop };
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Over HTTPS, trusting the bundle that the webhook publishes. */
function ask(
  { folder, port }: Running,
  path: string,
  { body, headers = {} }: { readonly body?: string; readonly headers?: Record<string, string> } = {},
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const ca = readFileSync(join(folder, "webhook", "bundle.crt"));
  const method = body === undefined ? "GET" : "POST";
  const outgoing = httpsRequest(
    {
      agent: false,
      host: "127.0.0.1",
      port,
      path,
      method,
      ca,
      headers: { "content-type": "application/json", ...headers },
    },
    (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("end", () =>
        resolve({ status: incoming.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
      );
    },
  );
  outgoing.on("error", reject);
  outgoing.end(body);
  return promise;
}

function reviewOf(image: string): string {
  const object = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web" },
    spec: { containers: [{ name: "c", image, imagePullPolicy: "IfNotPresent" }] },
  };
  const request = {
    uid: "1",
    operation: "CREATE",
    resource: { group: "", version: "v1", resource: "pods" },
    kind: { group: "", version: "v1", kind: "Pod" },
    namespace: "shop",
    object,
  };
  return JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", request });
}

async function registryOf(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function responseOf({ body }: Answer): {
  readonly allowed: boolean;
  readonly patch?: string;
  readonly status?: { readonly message: string };
} {
  return JSON.parse(body).response;
}

test("reviews are answered over TLS with a certificate of its own, and pages beside them", async (t) => {
  const webhook = await start(t);
  const answer = await ask(webhook, "/mutate?timeout=3s", { body: reviewOf("app:1") });
  const { patch = "" } = responseOf(answer);
  assert.deepEqual(JSON.parse(Buffer.from(patch, "base64").toString()), [
    { op: "replace", path: "/spec/containers/0/imagePullPolicy", value: "Always" },
  ]);
  assert.equal(responseOf(await ask(webhook, "/validate", { body: reviewOf("app:1") })).allowed, false);
  assert.deepEqual(await ask(webhook, "/readyz"), { status: 200, body: "ok\n" });
  assert.deepEqual(await ask(webhook, "/livez"), { status: 200, body: "ok\n" });
  const { body: metrics } = await ask(webhook, "/metrics");
  assert.match(
    metrics,
    /dray_webhook_reviews_total\{path="\/mutate",operation="CREATE",outcome="changed"\} 1/,
  );
  assert.match(metrics, /dray_webhook_certificate_expiry_timestamp_seconds \d{10}/);
  assert.equal((await ask(webhook, "/mutate")).status, 405);
  assert.equal((await ask(webhook, "/elsewhere", { body: "{}" })).status, 404);
});

test("what an answer says beyond ASCII arrives whole", async (t) => {
  const policy = { allowed: [], denied: [], forbidLatest: false, requireDigest: true, exemptNamespaces: [] };
  const webhook = await start(t, { settings: { alwaysPullImages: false, policy } });
  const { status } = responseOf(await ask(webhook, "/validate", { body: reviewOf("app:1") })) as {
    readonly status?: { readonly message: string };
  };
  assert.match(status?.message ?? "", /write app:1@sha256:… \(dray digest/);
});

test("more than a review can have is refused before it is read, and while it comes", async (t) => {
  const webhook = await start(t);
  const headers = { "content-length": String(100 * 1024 * 1024) };
  const declared = await ask(webhook, "/mutate", { body: "{", headers }).catch((error: Error) => error);
  assert.ok(declared instanceof Error || declared.status === 413);
  const chunked = { "transfer-encoding": "chunked" };
  const body = " ".repeat(9 * 1024 * 1024);
  const flooded = await ask(webhook, "/mutate", { body, headers: chunked }).catch((error: Error) => error);
  assert.ok(flooded instanceof Error || flooded.status === 413);
  assert.equal((await ask(webhook, "/readyz")).status, 200);
});

test("tags are pinned to what the registry says they are, and asked for once", async (t) => {
  let asked = 0;
  const registry = await registryOf(t, (request, response) => {
    asked++;
    assert.equal(request.method, "HEAD");
    response.writeHead(200, {
      "content-type": "application/vnd.oci.image.index.v1+json",
      "docker-content-digest": DIGEST,
      "content-length": 100,
    });
    response.end();
  });
  const settings = { alwaysPullImages: false, pinning: { registries: [] } };
  const webhook = await start(t, { settings });
  for (let round = 0; round < 3; round++) {
    const { patch = "" } = responseOf(await ask(webhook, "/mutate", { body: reviewOf(`${registry}/app:1`) }));
    assert.match(Buffer.from(patch, "base64").toString(), new RegExp(`/app:1@${DIGEST}"`));
  }
  assert.equal(asked, 1);
  assert.match((await ask(webhook, "/metrics")).body, /digest_lookups_total\{result="found"\} 1/);
});

const TROUBLES: readonly (readonly [trouble: string, listener: RequestListener, why: RegExp])[] = [
  ["never answers", () => {}, /has not answered yet; try again later/],
  [
    "asks to wait",
    (_, response) => void response.writeHead(429, { "retry-after": "60" }).end(),
    /can't be pinned to a digest: .*; try again later/,
  ],
  ["is broken", (_, response) => void response.writeHead(500).end(), /can't be pinned to a digest/],
  ["cuts connections", (request) => void request.socket.destroy(), /can't be pinned to a digest/],
  ["drips", (_, response) => void response.write("HTTP"), /can't be pinned to a digest/],
];

for (const [trouble, listener, why] of TROUBLES) {
  test(`with a registry that ${trouble}, a review ends before its deadline`, async (t) => {
    const registry = await registryOf(t, listener);
    const webhook = await start(t, { settings: { alwaysPullImages: false, pinning: { registries: [] } } });
    const started = performance.now();
    const body = reviewOf(`${registry}/app:1`);
    const answer = responseOf(await ask(webhook, "/mutate?timeout=400ms", { body }));
    const took = performance.now() - started;
    assert.equal(answer.allowed, false);
    assert.match(answer.status?.message ?? "", why);
    // The client gives up after twenty seconds and more, and a busy machine takes its time.
    assert.ok(took < 15_000, `took ${took} ms`);
  });
}

test("with nobody at the registry's address, a review ends at once", async (t) => {
  const gone = await registryOf(t, () => {});
  const settings = { alwaysPullImages: false, pinning: { onFailure: "admit", registries: [] } } as const;
  const webhook = await start(t, { settings });
  const answer = await ask(webhook, "/mutate", { body: reviewOf(`${gone.replace(/\d+$/, "1")}/app:1`) });
  assert.equal(responseOf(answer).allowed, true);
  assert.match(answer.body, /was not pinned to a digest: .*refused/);
});

test("reviews under way are answered when it ends", async (t) => {
  const asked = Promise.withResolvers<() => void>();
  const registry = await registryOf(t, (_, response) => {
    asked.resolve(() => {
      const headers = { "content-type": "application/vnd.oci.image.manifest.v1+json", "content-length": 10 };
      response.writeHead(200, { ...headers, "docker-content-digest": DIGEST }).end();
    });
  });
  const webhook = await start(t, { settings: { alwaysPullImages: false, pinning: { registries: [] } } });
  const answering = ask(webhook, "/mutate", { body: reviewOf(`${registry}/app:1`) });
  const answer = await asked.promise;
  const stopping = webhook.stop();
  answer();
  assert.equal(responseOf(await answering).allowed, true);
  await stopping;
  // Refused, or by now somebody else is there, who has another certificate if any.
  await assert.rejects(ask(webhook, "/readyz"));
});

test("a port that is taken, and a certificate that is none, are said in one sentence", async (t) => {
  const webhook = await start(t);
  await assert.rejects(
    start(t, { port: webhook.port }),
    /Cannot listen on 127\.0\.0\.1 port \d+: somebody else does/,
  );
  const files = { cert: import.meta.filename, key: import.meta.filename };
  await assert.rejects(start(t, { files }), /they are not a certificate and a key in PEM$/);
});

test("a certificate that somebody renews is shown without a restart", async (t) => {
  const lifetime = { now: Date.now, lifetimeMs: 86_400_000 };
  const authority = await createAuthority({ commonName: "test", ...lifetime });
  const folder = mkdtempSync(join(tmpdir(), "dray-webhook-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const files = { cert: join(folder, "tls.crt"), key: join(folder, "tls.key") };
  const write = async (commonName: string): Promise<void> => {
    const pair = await issueCertificate(authority, { commonName, usage: "server", ...lifetime });
    writeFileSync(files.key, pair.key);
    writeFileSync(files.cert, pair.certificate);
  };
  await write("first");
  const webhook = await start(t, { files, lookInterval: 5 });
  assert.equal(await shownName(webhook), "first");
  await write("second");
  while ((await shownName(webhook)) !== "second");
});

/** The name in the certificate that a new connection is shown. */
function shownName({ port }: Running): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().subject.CN);
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

const USAGE: readonly (readonly [args: readonly string[], why: RegExp])[] = [
  [[], /There is nothing to do with images: add --pin/],
  [["uninstall", "--pin"], /There is no dray webhook "uninstall"/],
  [["--pin", "--tls-cert", "x"], /--tls-cert and --tls-key go together/],
  [["install", "--pin"], /Option --image is needed/],
  [["install", "--pin", "--image", "x", "--node-config", "f"], /Option --node-config is about this machine/],
  [["install", "--pin", "--image", "x", "--timeout", "31"], /--timeout takes 1 to 30 seconds/],
  [["--allow", "nginx", "--port", "0"], /Cannot use image pattern "nginx": it begins with a registry's host/],
];

for (const [args, why] of USAGE) {
  test(`dray webhook ${args.join(" ")} is a wrong command line`, async () => {
    assert.ok((await findCommand("webhook")) !== undefined);
    const context = createMemoryContext({ cwd: tmpdir(), home: tmpdir() });
    assert.equal(await run(["webhook", ...args], context), 2);
    assert.match(context.stderr.text, why);
  });
}
