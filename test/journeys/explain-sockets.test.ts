/** Troubles below HTTP, on real sockets: what goes wrong there has its own cause each. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer as createHttp, type RequestListener } from "node:http";
import { createServer as createHttps } from "node:https";
import { type AddressInfo, createServer as createTcp, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, describe, it, type TestContext } from "node:test";

import { run } from "../../src/cli/run.ts";
import { createMemoryContext } from "../../src/cli/testing.ts";
import type { Explanation } from "../../src/explain/index.ts";
import { type CertificatePair, createAuthority, issueCertificate } from "../../src/internal/certificates.ts";

const HOST = "registry.example.com";
const DAY = 86_400_000;

interface Told {
  readonly codes: readonly string[];
  readonly exit: number;
  readonly tree: string;
}

let authority: CertificatePair;

before(async () => {
  authority = await createAuthority({
    commonName: "Own",
    now: () => Date.now() - 9 * DAY,
    lifetimeMs: 90 * DAY,
  });
});

async function certificate(host: string, from: number, days: number): Promise<CertificatePair> {
  const now = (): number => Date.now() + from * DAY;
  const names = { commonName: host, hosts: [host] };
  return await issueCertificate(authority, { ...names, usage: "server", now, lifetimeMs: days * DAY });
}

const hello: RequestListener = (_request, response) => void response.writeHead(404).end();

async function listen(t: TestContext, server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Explains an image of a registry that is really at another address. */
async function tell(t: TestContext, server: string, more = ""): Promise<Told> {
  const cwd = await mkdtemp(join(tmpdir(), "dray-sockets-"));
  t.after(() => rm(cwd, { recursive: true }));
  await mkdir(join(cwd, "hosts", HOST), { recursive: true });
  await writeFile(join(cwd, "ca.pem"), authority.certificate);
  await writeFile(
    join(cwd, "hosts", HOST, "hosts.toml"),
    `server = "${server}"\n${more.replace("CA", join(cwd, "ca.pem"))}`,
  );
  const containers = [{ name: "web", image: `${HOST}/shop/web:1` }];
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "web" }, spec: { containers } };
  const line = ["explain", "-", "--complete", "--hosts-dir", "hosts"];
  const options = { cwd, home: cwd, env: {}, stdin: JSON.stringify(pod), now: Date.now };
  const programs = createMemoryContext(options);
  const exit = await run([...line, "--json"], programs);
  const people = createMemoryContext(options);
  await run(line, people);
  const { pods } = JSON.parse(programs.stdout.text) as Explanation;
  const causes = pods.flatMap(({ images }) => images.flatMap((image) => image.causes));
  return { codes: causes.map(({ code }) => code), exit, tree: people.stdout.text };
}

const KNOWN = 'ca = "CA"\n';

describe("explaining what happens below HTTP", () => {
  it("finds that nobody listens", async (t) => {
    // A port that was free a moment ago may be somebody else's by now; this one is given to nobody.
    const { codes, exit, tree } = await tell(t, "https://127.0.0.1:1");
    assert.deepEqual(codes, ["CONNECTION_REFUSED"], tree);
    assert.equal(exit, 5);
  });

  it("finds that connections are cut", async (t) => {
    const address = await listen(
      t,
      createTcp((socket) => void socket.resetAndDestroy()),
    );
    const { codes, exit, tree } = await tell(t, `http://${address}`);
    assert.deepEqual(codes, ["CONNECTION_CUT"], tree);
    assert.equal(exit, 5);
  });

  it("finds an authority that nobody knows, and says where to put it", async (t) => {
    const pair = await certificate("127.0.0.1", 0, 9);
    const server = createHttps({ cert: pair.certificate, key: pair.key }, hello);
    const { codes, exit, tree } = await tell(t, `https://${await listen(t, server)}`);
    assert.deepEqual(codes, ["TLS_UNKNOWN_AUTHORITY"], tree);
    assert.equal(exit, 5);
    assert.ok(tree.includes(`/etc/containerd/certs.d/${HOST}/hosts.toml`), tree);
  });

  it("finds a certificate for another name", async (t) => {
    const pair = await certificate("other.example.com", 0, 9);
    const server = createHttps({ cert: pair.certificate, key: pair.key }, hello);
    const { codes, tree } = await tell(t, `https://${await listen(t, server)}`, KNOWN);
    assert.deepEqual(codes, ["TLS_NAME_MISMATCH"], tree);
  });

  it("finds a certificate whose time is over", async (t) => {
    const pair = await certificate("127.0.0.1", -8, 2);
    const server = createHttps({ cert: pair.certificate, key: pair.key }, hello);
    const { codes, tree } = await tell(t, `https://${await listen(t, server)}`, KNOWN);
    assert.deepEqual(codes, ["TLS_EXPIRED"], tree);
  });

  it("finds HTTP where HTTPS was expected, and HTTPS where HTTP was", async (t) => {
    const plain = await tell(t, `https://${await listen(t, createHttp(hello))}`);
    assert.deepEqual(plain.codes, ["HTTP_NOT_HTTPS"], plain.tree);
    const pair = await certificate("127.0.0.1", 0, 9);
    const server = createHttps({ cert: pair.certificate, key: pair.key }, hello);
    const secure = await tell(t, `http://${await listen(t, server)}`);
    // This server hangs up on what isn't TLS; those that answer with 400 are told apart.
    assert.deepEqual(secure.codes, ["CONNECTION_CUT"], secure.tree);
  });

  it("follows a certificate that is fine to the registry behind it", async (t) => {
    const pair = await certificate("127.0.0.1", 0, 9);
    const server = createHttps({ cert: pair.certificate, key: pair.key }, hello);
    const { codes, exit, tree } = await tell(t, `https://${await listen(t, server)}`, KNOWN);
    assert.deepEqual(codes, ["TAG_MISSING"], tree);
    assert.equal(exit, 3);
  });
});
