/** `dray registry` from its first request to its last one. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect as connectHttp2, constants } from "node:http2";
import { request as httpsRequest } from "node:https";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { test, type TestContext } from "node:test";

import { createAuthority, issueCertificate, type CertificatePair } from "../../src/internal/certificates.ts";
import { digestOf, MEDIA_TYPES } from "../../src/oci/index.ts";
import type { NotificationEvent } from "../../src/registry/index.ts";
import { dray, makeWorkFolder, startRegistry } from "./registry-command.ts";

const INDEX = JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [] });
const DAY = 86_400_000;

function basic(login: string, password: string): { readonly authorization: string } {
  return { authorization: `Basic ${Buffer.from(`${login}:${password}`).toString("base64")}` };
}

async function pushIndex(port: number, path: string, headers: Record<string, string> = {}): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${port}/v2/${path}`, {
    method: "PUT",
    body: INDEX,
    headers: { "content-type": MEDIA_TYPES.ociIndex, ...headers },
  });
  await answer.body?.cancel();
  return answer.status;
}

/** Replaces a file the way tools do. */
function replace(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

function policy(actions: string): string {
  return `policies: [{ repositories: ["**"], actions: [${actions}], subjects: [users] }]\n`;
}

test("accounts are made while it runs, audited, counted, and locked out; status tells all of it", async (t) => {
  const folder = makeWorkFolder(t);
  const registry = await startRegistry(
    t,
    folder,
    `access: { ${policy("pull, push").trim()}, lockOut: { account: 2 } }\naudit: {}\nmetrics: { port: 0 }`,
  );
  const { port } = registry;
  assert.equal(await pushIndex(port, "app/manifests/1"), 401);
  assert.equal((await dray(folder, ["registry", "user", "add", "alice"], "pw\n")).code, 0);
  const made = await dray(folder, ["registry", "robot", "create", "ci", "--grant", "team/**=pull,push"]);
  const [login = "", secret = ""] = made.stdout.split("\n");
  assert.equal(await pushIndex(port, "app/manifests/1", basic("alice", "pw")), 201);
  assert.equal(await pushIndex(port, "team/app/manifests/1", basic(login, secret)), 201);
  assert.equal(await pushIndex(port, "app/manifests/2", basic(login, secret)), 403);
  for (const status of [401, 401, 429]) {
    assert.equal(await pushIndex(port, "app/manifests/1", basic("bob", "guess")), status);
  }
  const rotated = await dray(folder, ["registry", "robot", "rotate", "ci", "--overlap", "0", "--json"]);
  const { secret: next } = JSON.parse(rotated.stdout) as { secret: string };
  assert.equal(await pushIndex(port, "team/app/manifests/1", basic(login, secret)), 401);
  assert.equal(await pushIndex(port, "team/app/manifests/1", basic(login, next)), 201);
  assert.match(
    (await dray(folder, ["registry", "robot", "list"])).stdout,
    /ci +never +\S+ +team\/\*\*=pull,push/,
  );

  const audit = readFileSync(join(folder, "registry", "audit.log"), "utf8")
    .trim()
    .split("\n");
  const lines = audit.map((line) => JSON.parse(line) as Record<string, unknown>);
  const records = lines.filter(({ action }) => action !== "login");
  assert.deepEqual(
    records.map(({ caller, decision, status }) => [caller, decision, status]),
    [
      ["alice", "allowed", 201],
      ["robot+ci", "allowed", 201],
      ["robot+ci", "denied", 403],
      [undefined, "denied", 401],
      [undefined, "denied", 401],
      [undefined, "denied", 429],
      [undefined, "denied", 401],
      ["robot+ci", "allowed", 201],
    ],
  );
  assert.deepEqual(
    lines
      .filter(({ action }) => action === "login")
      .map(({ caller, decision, reason, address }) => [caller, decision, reason, address]),
    [
      ["bob", "denied", "name or password is wrong", "127.0.0.1"],
      ["bob", "denied", "name or password is wrong", "127.0.0.1"],
      ["bob", "denied", "too many logins failed", "127.0.0.1"],
      ["robot+ci", "denied", "name or password is wrong", "127.0.0.1"],
    ],
  );
  for (const hidden of [secret, next, "pw", "guess"]) assert.ok(!audit.join().includes(`"${hidden}`));

  const metrics = await (await fetch(`http://127.0.0.1:${registry.metricsPort}/metrics`)).text();
  assert.match(metrics, /requests_total\{route="manifest",method="PUT",code="201"\} 3\n/);
  assert.match(metrics, /dray_registry_logins_total\{result="failed"\} 3\n/);
  assert.match(metrics, /dray_registry_locked_out\{kind="account"\} 1\n/);
  const status = await dray(folder, ["registry", "status"]);
  assert.equal(status.code, 0, status.stderr);
  assert.match(status.stdout, /team\/app +\d+ B +1\n/);
  assert.match(status.stdout, new RegExp(`${process.pid} on 127\\.0\\.0\\.1:${port} +serving`));
  assert.match(status.stdout, /account +bob/);

  const user = async (...words: string[]): Promise<number> =>
    (await dray(folder, ["registry", "user", ...words], "another\n")).code;
  assert.equal(await user("add", "alice", "--group", "developers", "--group", "testers"), 0);
  assert.equal(await user("add", "alice"), 0);
  assert.equal((await dray(folder, ["registry", "user", "list"])).stdout, "alice  developers  testers\n");
  assert.equal(await user("add", "alice", "--group", ""), 0);
  assert.equal((await dray(folder, ["registry", "user", "list"])).stdout, "alice\n");
  assert.equal(await user("remove", "alice", "--group", "testers"), 2);
  const robot = async (...words: string[]): Promise<string> =>
    (await dray(folder, ["registry", "robot", ...words])).stderr;
  assert.match(
    await robot("rotate", "ci", "--grant", "x=pull"),
    /Option --grant is for create, not for rotate/,
  );
  assert.match(
    await robot("delete", "ci", "--expires", "1d"),
    /--expires is for create and rotate, not for delete/,
  );
  assert.equal(await robot("rotate", "ci", "--expires", "90d", "--overlap", "1d"), "");
  assert.match((await dray(folder, ["registry", "robot", "list"])).stdout, /ci +\d{4}-\d\d-\d\d /);
  assert.equal((await dray(folder, ["registry", "robot", "delete", "ci"])).code, 0);
  assert.equal(await pushIndex(port, "team/app/manifests/1", basic(login, next)), 401);
  assert.equal((await dray(folder, ["registry", "robot", "delete", "ci"])).code, 3);
  assert.equal((await dray(folder, ["registry", "user", "remove", "alice"])).code, 0);
  await registry.stop();
  const after = await dray(folder, ["registry", "status", "--json"]);
  assert.equal(after.code, 1);
  assert.deepEqual((JSON.parse(after.stdout) as { processes: unknown[] }).processes, []);
});

test("rules change under load: no request fails, no connection is cut, and a broken file changes nothing", async (t) => {
  const folder = makeWorkFolder(t);
  const rules = join(folder, "access.yaml");
  writeFileSync(rules, policy("pull, push"));
  const registry = await startRegistry(t, folder, "access: access.yaml\n");
  const { port } = registry;
  await dray(folder, ["registry", "user", "add", "alice"], "pw\n");
  const alice = basic("alice", "pw");
  assert.equal(await pushIndex(port, "app/manifests/1", alice), 201);

  const ending = new AbortController();
  const statuses = new Map<number, number>();
  const pull = async (): Promise<void> => {
    while (!ending.signal.aborted) {
      const answer = await fetch(`http://127.0.0.1:${port}/v2/app/manifests/1`, { headers: alice });
      await answer.arrayBuffer();
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    }
  };
  const load = [pull(), pull(), pull(), pull()];
  /** Nothing changes without requests before and after. */
  const pulled = async (more: number): Promise<void> => {
    const sum = (): number => [...statuses.values()].reduce((one, other) => one + other, 0);
    for (const enough = sum() + more; sum() < enough;) await sleep(1);
  };
  for (let round = 0; round < 10; round++) {
    replace(rules, `# ${round}\nrealm: r${round}\n${policy("pull")}`);
    await registry.heard(new RegExp(`(?:In force anew: access[^]*){${round * 2 + 1}}`));
    assert.equal(await pushIndex(port, "app/manifests/2", alice), 403);
    await pulled(3);
    replace(rules, `# ${round}\nrealm: s${round}\n${policy("pull, push")}`);
    await registry.heard(new RegExp(`(?:In force anew: access[^]*){${round * 2 + 2}}`));
    assert.equal(await pushIndex(port, "app/manifests/2", alice), 201);
    await pulled(3);
  }
  replace(rules, "policies: [{ repositories: [a], actions: [pul], subjects: [users] }]\n");
  await registry.heard(
    /access\.yaml:1:43: policies\[0\]\.actions\[0\] is "pul"[^\n]*what was in force stays/,
  );
  assert.equal(await pushIndex(port, "app/manifests/2", alice), 201);
  replace(join(folder, "registry.yaml"), "access: access.yaml\nstorage: { cache: 1MiB }\n");
  replace(rules, `${policy("pull, push")}# mended\n`);
  await registry.heard(/Changed, and in force from the next start on: storage.cache/);
  registry.hangUp();
  await registry.heard(/anew: access\n[^]*anew: access\n/);
  ending.abort();
  await Promise.all(load);
  assert.deepEqual([...statuses.keys()], [200]);
  assert.ok((statuses.get(200) ?? 0) >= 60);
});

test("limits, retention and endpoints change while it serves; what can't is named, setting by setting", async (t) => {
  const folder = makeWorkFolder(t);
  const [first, second] = [await startReceiver(t), await startReceiver(t)];
  const config = join(folder, "registry.yaml");
  const write = (...lines: readonly string[]): void =>
    replace(config, `${[...lines, "metrics: { port: 0 }"].join("\n")}\n`);
  const told = (receiver: Receiver): string =>
    `notifications: [{ name: builds, url: "${receiver.url}", actions: [push, delete] }]`;
  const registry = await startRegistry(t, folder, "collection: { every: 1d }\nmetrics: { port: 0 }\n");
  const { port } = registry;
  const remove = async (): Promise<number> =>
    (await fetch(`http://127.0.0.1:${port}/v2/app/manifests/1`, { method: "DELETE" })).status;
  assert.equal(await pushIndex(port, "app/manifests/1"), 201);

  write(
    "storage: { deletable: false }",
    "limits: { rules: [{ repositories: [app], maxTags: 1 }] }",
    told(first),
  );
  await registry.heard(/anew: limits, collection and retention; notifications\n/);
  assert.equal(await pushIndex(port, "app/manifests/2"), 403);
  assert.equal(await remove(), 405);
  assert.equal(await pushIndex(port, "app/manifests/1"), 201);
  while (first.actions.length < 1) await sleep(2);

  first.answer = 503;
  assert.equal(await pushIndex(port, "app/manifests/1"), 201);
  await registry.heard(/Cannot notify endpoint "builds": it answered 503/);
  write(
    "listen: { port: 5055, drain: 5s }",
    "mirror: { upstreams: [{ registry: r.example }] }",
    told(second),
  );
  await registry.heard(/from the next start on: listen\.drain, mirror\n/);
  assert.equal(await pushIndex(port, "app/manifests/2"), 201);
  assert.equal(await remove(), 202);
  while (second.actions.length < 3) await sleep(2);
  // What the one didn't take, the other one of that name does, before anything that is new.
  assert.deepEqual(second.actions, ["push 1", "push 2", "delete 1"]);
  assert.deepEqual(first.actions, ["push 1"]);

  write("limits: { rules: [{ repositories: ['*{x'], maxTags: 1 }] }");
  await registry.heard(/limits\.rules\[0\][^\n]*what was in force stays/);
  assert.equal(await pushIndex(port, "app/manifests/3"), 201);

  write("collection: { every: 1s }", "retention: [{ repositories: ['**'], keepLast: 1 }]");
  await registry.heard(
    /anew: limits, collection and retention; notifications\n[^]*anew: limits[^]*anew: limits/,
  );
  const at = `http://127.0.0.1:${registry.metricsPort}/metrics`;
  let metrics = "";
  do {
    await sleep(20);
    metrics = await (await fetch(at)).text();
  } while (!/collection_runs_total\{result="finished"\} [1-9]/.test(metrics));
  assert.match(metrics, /dray_registry_collection_retired_tags_total 1\n/);
  assert.match(metrics, /dray_registry_collection_last_success_timestamp_seconds \d{10}/);
  const { tags } = (await (await fetch(`http://127.0.0.1:${port}/v2/app/tags/list`)).json()) as {
    tags: string[];
  };
  assert.deepEqual(tags, ["3"]);
});

async function certificateOf(authority: CertificatePair, commonName: string): Promise<CertificatePair> {
  const hosts = ["127.0.0.1"];
  return await issueCertificate(authority, {
    commonName,
    hosts,
    usage: "server",
    now: Date.now,
    lifetimeMs: DAY,
  });
}

async function shownName(port: number, ca: string): Promise<string | undefined> {
  const socket = connectTls({ port, host: "127.0.0.1", ca });
  await once(socket, "secureConnect");
  const name = [socket.getPeerCertificate().subject.CN].flat()[0];
  socket.destroy();
  return name;
}

test("a new certificate is shown to new connections; half of a pair changes nothing; HTTP/2 is spoken", async (t) => {
  const folder = makeWorkFolder(t);
  const authority = await createAuthority({ commonName: "test", now: Date.now, lifetimeMs: DAY });
  const [first, second] = [await certificateOf(authority, "one"), await certificateOf(authority, "two")];
  const [cert, key] = [join(folder, "tls.crt"), join(folder, "tls.key")];
  writeFileSync(cert, first.certificate);
  writeFileSync(key, first.key);
  const registry = await startRegistry(
    t,
    folder,
    "listen: { tls: { certificate: tls.crt, key: tls.key } }\n",
  );
  const { port } = registry;
  const ca = authority.certificate;
  assert.equal(await shownName(port, ca), "one");

  const kept = connectHttp2(`https://127.0.0.1:${port}`, { ca });
  t.after(() => kept.destroy());
  const ask = async (): Promise<number | undefined> => {
    const stream = kept.request({ ":path": "/v2/" });
    const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
    stream.resume();
    await once(stream, "close");
    return Number(headers[constants.HTTP2_HEADER_STATUS]);
  };
  assert.equal(await ask(), 200);
  replace(cert, second.certificate);
  await registry.heard(/tls\.key" is the key of another; what was in force stays/);
  assert.equal(await shownName(port, ca), "one");
  replace(key, second.key);
  await registry.heard(/In force anew: the certificate/);
  assert.equal(await shownName(port, ca), "two");
  assert.equal(await ask(), 200);
  assert.equal((kept.socket as TLSSocket).alpnProtocol, "h2");

  const bytes = Buffer.alloc(300_000, "h2");
  const post = kept.request({
    ":method": "POST",
    ":path": `/v2/app/blobs/uploads/?digest=${digestOf(bytes)}`,
  });
  post.end(bytes);
  const [answer] = (await once(post, "response")) as [Record<string, unknown>];
  assert.equal(answer[":status"], 201);
  const one = httpsRequest({
    port,
    host: "127.0.0.1",
    ca,
    agent: false,
    path: `/v2/app/blobs/${digestOf(bytes)}`,
  });
  const [response] = await once(one.end(), "response");
  assert.deepEqual(Buffer.concat(await response.toArray()), bytes);
});

test("at its end it says so, finishes what is under way, and takes nothing new", async (t) => {
  const folder = makeWorkFolder(t);
  const [farewells, farewell] = [[] as number[], Promise.withResolvers<void>()];
  const waitFarewell = async (milliseconds: number): Promise<void> => {
    farewells.push(milliseconds);
    await farewell.promise;
  };
  const config = "listen: { farewell: 7s, drain: 5m }\nmetrics: { port: 0 }\n";
  const registry = await startRegistry(t, folder, config, { waitFarewell });
  const { port } = registry;
  const at = (path: string): string => `http://127.0.0.1:${port}${path}`;
  assert.equal((await fetch(at("/readyz"))).status, 200);
  const begun = await fetch(at("/v2/app/blobs/uploads/"), { method: "POST" });
  const location = begun.headers.get("location") ?? "";
  const socket = connect(port, "127.0.0.1");
  t.after(() => socket.destroy());
  socket.write(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234`);
  while ((await fetch(at(location))).headers.get("range") !== "0-4") await sleep(2);
  const stopped = registry.stop();
  await registry.heard(/No more requests are wanted/);
  assert.equal((await fetch(at("/readyz"))).status, 503);
  assert.equal((await fetch(at("/livez"))).status, 200);
  assert.equal((await fetch(at("/v2/"))).status, 200);
  assert.deepEqual(farewells, [7_000]);
  // Who looks at the process sees it to its end.
  const look = async (path: string): Promise<Response> =>
    await fetch(`http://127.0.0.1:${registry.metricsPort}${path}`);
  assert.deepEqual([(await look("/livez")).status, (await look("/readyz")).status], [200, 503]);
  assert.match((await dray(folder, ["registry", "status"])).stdout, /127\.0\.0\.1:\d+ +draining/);
  farewell.resolve();
  const refused = async (): Promise<boolean> => {
    try {
      const answer = await fetch(at("/v2/"), { headers: { connection: "close" } });
      await answer.body?.cancel();
      return false;
    } catch {
      return true;
    }
  };
  while (!(await refused())) await sleep(5);
  assert.match(await (await look("/metrics")).text(), /dray_registry_ready 0\n/);
  socket.write("56789");
  const [answer] = (await once(socket.setEncoding("latin1"), "data")) as [string];
  assert.match(answer, /^HTTP\/1\.1 202 /);
  await stopped;
});

interface Receiver {
  readonly url: string;
  readonly actions: string[];
  answer: number;
}

async function startReceiver(t: TestContext): Promise<Receiver> {
  const receiver = { url: "", actions: [] as string[], answer: 200 };
  // By default it closes idle connections after five seconds, maybe just as a busy machine sends the next request.
  const server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
    void request.toArray().then((chunks) => {
      const { events } = JSON.parse(Buffer.concat(chunks).toString()) as { events: NotificationEvent[] };
      if (receiver.answer === 200) {
        receiver.actions.push(...events.map(({ action, target }) => `${action} ${target.tag}`));
      }
      response.writeHead(receiver.answer).end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  receiver.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  return receiver;
}

test("a receiver that is down hears of everything, in order, after it and the registry came back", async (t) => {
  const folder = makeWorkFolder(t);
  const receiver = await startReceiver(t);
  receiver.answer = 503;
  const config = `notifications: [{ name: builds, url: "${receiver.url}", actions: [push, delete] }]\n`;
  const registry = await startRegistry(t, folder, config);
  for (const tag of ["1", "2", "3"]) {
    assert.equal(await pushIndex(registry.port, `app/manifests/${tag}`), 201);
  }
  await registry.heard(/Cannot notify endpoint "builds": it answered 503/);
  assert.match((await dray(folder, ["registry", "notifications"])).stdout, /^builds +3 /m);
  await registry.stop();
  receiver.answer = 200;
  const again = await startRegistry(t, folder, config);
  const path = `http://127.0.0.1:${again.port}/v2/app/manifests/1`;
  assert.equal((await fetch(path, { method: "DELETE" })).status, 202);
  while (receiver.actions.length < 4) await sleep(2);
  assert.deepEqual(receiver.actions, ["push 1", "push 2", "push 3", "delete 1"]);

  receiver.answer = 422;
  assert.equal(await pushIndex(again.port, "app/manifests/refused"), 201);
  await again.heard(/gave up event \d+ after 1 attempts: it answered 422/);
  const given = await dray(folder, ["registry", "notifications"]);
  assert.match(given.stdout, / ago +builds +it answered 422 +push app:refused\n$/);
  receiver.answer = 200;
  const retried = await dray(folder, ["registry", "notifications", "--retry"]);
  assert.equal(retried.stdout, "Queued 1 once more\n");
  assert.equal(await pushIndex(again.port, "app/manifests/last"), 201);
  while (receiver.actions.length < 6) await sleep(2);
  assert.deepEqual(receiver.actions.slice(4), ["push refused", "push last"]);
});

test("garbage goes and content is checked beside a registry that serves", async (t) => {
  const folder = makeWorkFolder(t);
  const registry = await startRegistry(t, folder, undefined);
  const bytes = "nobody names this";
  const pushed = await fetch(
    `http://127.0.0.1:${registry.port}/v2/app/blobs/uploads/?digest=${digestOf(bytes)}`,
    { method: "POST", body: bytes },
  );
  assert.equal(pushed.status, 201);
  const kept = await dray(folder, ["registry", "gc"]);
  assert.match(kept.stdout, /^Freed 0 B/m);
  const dry = await dray(folder, ["registry", "gc", "--dry-run", "--grace", "0", "--verbose"]);
  assert.match(dry.stdout, new RegExp(`^blob {2}app@${digestOf(bytes)} {2}unnamed$`, "m"));
  const gone = await dray(folder, ["registry", "gc", "--grace", "0", "--json"]);
  const { repositories } = JSON.parse(gone.stdout) as { repositories: Record<string, { count: number }> };
  assert.equal(repositories["app"]?.count, 1);
  const blob = `http://127.0.0.1:${registry.port}/v2/app/blobs/${digestOf(bytes)}`;
  assert.equal((await fetch(blob)).status, 404);
  const checked = await dray(folder, ["registry", "check"]);
  assert.equal(checked.code, 0, checked.stdout);
  assert.match(checked.stdout, /0 faults, 0 repaired, 0 left\n$/);
});

test("parts that are missing are faults only where the configuration wants all of them", async (t) => {
  const folder = makeWorkFolder(t);
  const { port } = await startRegistry(t, folder, "storage: { sparse: true }\n");
  const missing = { mediaType: MEDIA_TYPES.ociManifest, digest: digestOf("nowhere"), size: 7 };
  const body = JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [missing] });
  const pushed = await fetch(`http://127.0.0.1:${port}/v2/hub/app/manifests/1`, {
    method: "PUT",
    body,
    headers: { "content-type": MEDIA_TYPES.ociIndex },
  });
  assert.equal(pushed.status, 201);
  const mirror = (prefix: string): string =>
    `mirror: { upstreams: [{ registry: r.example, prefix: "${prefix}" }] }\n`;
  for (const [config, code] of [
    ["storage: { sparse: true }\n", 0],
    [mirror("hub"), 0],
    [mirror(""), 0],
    [mirror("hu"), 1],
    ["", 1],
  ] as const) {
    writeFileSync(join(folder, "check.yaml"), config);
    const checked = await dray(folder, ["registry", "check", "--config", "check.yaml"]);
    assert.equal(checked.code, code, config);
    assert.equal(/^PART_MISSING {2}hub\/app@/m.test(checked.stdout), code === 1);
  }
});

test("a port that is taken and a configuration that is wrong end it before anything is served", async (t) => {
  const folder = makeWorkFolder(t);
  const registry = await startRegistry(t, folder, undefined);
  const taken = await dray(folder, ["registry", "--port", String(registry.port)]);
  assert.equal(taken.code, 8);
  assert.match(taken.stderr, /Cannot serve the registry on "127\.0\.0\.1:\d+": something else listens/);
  const unwatched = await dray(folder, ["registry", "--port", "0", "--metrics-port", String(registry.port)]);
  assert.equal(unwatched.code, 8);
  assert.match(
    unwatched.stderr,
    /^dray: Cannot serve metrics on "127\.0\.0\.1:\d+": something else listens[^\n]+\n$/,
  );
  writeFileSync(join(folder, "bad.yaml"), "listen: { port: many }\nlog: { format: xml }\n");
  const wrong = await dray(folder, ["registry", "--config", "bad.yaml"]);
  assert.equal(wrong.code, 8);
  assert.match(wrong.stderr, /bad\.yaml:1:11: listen\.port [^\n]+\n {2}.*bad\.yaml:2:8: log\.format/);
});
