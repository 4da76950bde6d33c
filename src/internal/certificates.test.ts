import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { connect, type ConnectionOptions, createServer, type TLSSocket } from "node:tls";
import { type CertificatePair, createAuthority, expiryOf, issueCertificate } from "./certificates.ts";

const DAY = 86_400_000;
const AUTHORITY = { commonName: "dray", now: Date.now, lifetimeMs: 10 * DAY };

test("a server's certificate is trusted for its DNS names and addresses, and for no others", async () => {
  const authority = await createAuthority(AUTHORITY);
  const server = await issueCertificate(authority, {
    commonName: "dray-apiserver",
    hosts: ["localhost", "*.example.test", "127.0.0.1", "::1"],
    usage: "server",
    now: Date.now,
    lifetimeMs: DAY,
  });
  for (const name of ["localhost", "127.0.0.1", "::1", "a.example.test"]) {
    assert.equal(await handshake(server, { ca: authority.certificate, ...nameOf(name) }), "ok", name);
  }
  const elsewhere = await handshake(server, { ca: authority.certificate, ...nameOf("10.0.0.1") });
  assert.equal(elsewhere, "ERR_TLS_CERT_ALTNAME_INVALID");
  const stranger = await createAuthority({ ...AUTHORITY, commonName: "stranger" });
  const refused = await handshake(server, { ca: stranger.certificate, servername: "localhost" });
  assert.notEqual(refused, "ok");
});

test("a client's certificate names a user and groups to a server that asks for one", async () => {
  const authority = await createAuthority(AUTHORITY);
  const issue = (usage: "server" | "client"): Promise<CertificatePair> =>
    issueCertificate(authority, {
      commonName: "kubernetes-admin",
      organizations: ["system:masters", "readers, all"],
      hosts: usage === "server" ? ["localhost"] : [],
      usage,
      now: Date.now,
      lifetimeMs: DAY,
    });
  const [server, client] = await Promise.all([issue("server"), issue("client")]);
  const trusted: ConnectionOptions = { ca: authority.certificate, servername: "localhost" };
  const seen: unknown[] = [];
  const answer = await handshake(
    server,
    { ...trusted, cert: client.certificate, key: client.key },
    authority,
    (socket) => {
      const { subject } = socket.getPeerCertificate();
      seen.push(subject.CN, subject.O);
    },
  );
  assert.equal(answer, "ok");
  assert.deepEqual(seen, ["kubernetes-admin", ["system:masters", "readers, all"]]);
  const without = await handshake(server, trusted, authority);
  assert.notEqual(without, "ok");
  const asClient = { ...trusted, cert: server.certificate, key: server.key };
  assert.notEqual(
    await handshake(server, asClient, authority),
    "ok",
    "a server's certificate is no client's",
  );
});

test("a certificate never outlives its authority, and is good for clocks that are a little behind", async () => {
  const now = Date.UTC(2049, 11, 31, 12, 0, 0, 750);
  const authority = await createAuthority({ commonName: "old", now: () => now, lifetimeMs: 2 * DAY });
  assert.equal(expiryOf(authority.certificate), Date.UTC(2050, 0, 2, 12), "beyond what two digits can say");
  const later = { usage: "server", commonName: "x", now: () => now + DAY, lifetimeMs: 30 * DAY } as const;
  const leaf = await issueCertificate(authority, later);
  assert.equal(expiryOf(leaf.certificate), expiryOf(authority.certificate));
  const short = await issueCertificate(authority, { ...later, now: () => now, lifetimeMs: 1000 });
  assert.equal(expiryOf(short.certificate), Date.UTC(2049, 11, 31, 12, 0, 1));
  const { validFromDate } = new X509Certificate(authority.certificate);
  assert.equal(validFromDate.getTime(), Date.UTC(2049, 11, 31, 11, 55));
});

test("keys are PKCS#8, serial numbers differ, and the parts name each other", async () => {
  const authority = await createAuthority(AUTHORITY);
  const options = { usage: "client", commonName: "x", now: Date.now, lifetimeMs: DAY } as const;
  const one = await issueCertificate(authority, options);
  const two = await issueCertificate(authority, options);
  assert.match(one.key, /^-----BEGIN PRIVATE KEY-----\n/v);
  const root = new X509Certificate(authority.certificate);
  const leaf = new X509Certificate(one.certificate);
  assert.ok(root.ca && !leaf.ca);
  assert.ok(leaf.checkIssued(root) && leaf.verify(root.publicKey));
  assert.notEqual(leaf.serialNumber, new X509Certificate(two.certificate).serialNumber);
  assert.equal("getMetadata" in Reflect, false, "what was lent to the package was taken back");
});

function nameOf(host: string): ConnectionOptions {
  return /^[\d:.]+$/v.test(host) ? { host, servername: "" } : { servername: host };
}

/** "ok", or the code of what either side refused. */
async function handshake(
  server: CertificatePair,
  client: ConnectionOptions,
  authority?: CertificatePair,
  look: (socket: TLSSocket) => void = () => {},
): Promise<string> {
  const listener = createServer({
    cert: server.certificate,
    key: server.key,
    ...(authority && { requestCert: true, rejectUnauthorized: true, ca: authority.certificate }),
  });
  listener.on("secureConnection", (socket) => {
    look(socket);
    socket.on("error", () => {});
    socket.end("hello");
  });
  listener.on("tlsClientError", () => {});
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  const { checkServerIdentity } = await import("node:tls");
  const socket = connect({
    ...client,
    host: "127.0.0.1",
    port,
    // The name to be checked may be one that this machine can't be reached under.
    checkServerIdentity: (name, certificate) =>
      checkServerIdentity(client.servername === "" ? (client.host ?? name) : name, certificate),
  });
  try {
    return await new Promise<string>((resolve) => {
      socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      socket.on("data", () => resolve("ok"));
      socket.on("close", () => resolve("closed"));
    });
  } finally {
    socket.destroy();
    listener.close();
  }
}
