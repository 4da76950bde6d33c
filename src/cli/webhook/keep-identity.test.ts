import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { X509Certificate } from "node:crypto";

import { createAuthority, issueCertificate, expiryOf } from "../../internal/certificates.ts";
import { CliError } from "../errors.ts";
import { renewIdentity, type WebhookIdentity } from "./identity.ts";
import { folderIdentityStore, type IdentityStore } from "./identity-store.ts";
import { fileIdentity, ownIdentity, type OwnIdentityOptions } from "./keep-identity.ts";

const DAY = 86_400_000;
const START = Date.UTC(2030, 0, 1);
const HOSTS = ["dray-webhook.dray-system.svc", "127.0.0.1"];

function at(days: number): { readonly hosts: readonly string[]; readonly now: () => number } {
  return { hosts: HOSTS, now: () => START + days * DAY };
}

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "dray-identity-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test("a certificate is made anew a third before its end, its authority long before that", async () => {
  const first = await renewIdentity(undefined, at(0));
  const certificate = new X509Certificate(first.server.certificate);
  assert.equal(certificate.checkHost(HOSTS[0] ?? ""), HOSTS[0]);
  assert.equal(certificate.checkIP("127.0.0.1"), "127.0.0.1");
  assert.equal(await renewIdentity(first, at(59)), first);
  const second = await renewIdentity(first, at(61));
  assert.notEqual(second.server.certificate, first.server.certificate);
  assert.equal(second.bundle, first.bundle, "the authority stays");
  const late = 5 * 365 - 179;
  const third = await renewIdentity(first, at(late));
  assert.notEqual(third.authority.certificate, first.authority.certificate);
  assert.equal(third.bundle, third.authority.certificate + first.authority.certificate);
  const last = await renewIdentity(third, at(late + 5 * 365 - 100));
  assert.equal(
    last.bundle,
    last.authority.certificate + third.authority.certificate,
    "ended ones are left out",
  );
});

test("further names, and parts that don't belong together, bring a new certificate", async () => {
  const first = await renewIdentity(undefined, at(0));
  const other = await renewIdentity(undefined, at(0));
  const named = await renewIdentity(first, { ...at(1), hosts: [...HOSTS, "other.example.com"] });
  assert.equal(
    new X509Certificate(named.server.certificate).checkHost("other.example.com"),
    "other.example.com",
  );
  const torn = { ...first, server: other.server };
  assert.notEqual((await renewIdentity(torn, at(1))).server.certificate, other.server.certificate);
  const damaged = { ...first, authority: { certificate: "x", key: "y" } };
  const made = await renewIdentity(damaged, at(1));
  assert.equal(made.bundle, made.authority.certificate);
});

class MemoryStore implements IdentityStore {
  identity: WebhookIdentity | undefined;
  /** What others write between reading and writing. */
  rival: WebhookIdentity | undefined;

  async read(): ReturnType<IdentityStore["read"]> {
    return {
      identity: this.identity,
      replace: async (identity) => {
        const { rival } = this;
        this.rival = undefined;
        this.identity = rival ?? identity;
        return rival === undefined;
      },
    };
  }
}

function keeperOf(
  store: IdentityStore,
  options: Partial<OwnIdentityOptions> = {},
): ReturnType<typeof ownIdentity> {
  return ownIdentity({ store, ...at(0), publish: async () => {}, onWarning: () => {}, ...options });
}

test("of two replicas that make a certificate at once, both show the one that was written down", async () => {
  const store = new MemoryStore();
  const rival = await renewIdentity(undefined, at(0));
  store.rival = rival;
  const published: string[] = [];
  const kept = await keeperOf(store, { publish: async (bundle) => void published.push(bundle) }).look({});
  assert.equal(kept.tls.cert, rival.server.certificate);
  assert.deepEqual(published, [rival.bundle]);
  assert.equal(kept.expiry, expiryOf(rival.server.certificate));
});

test("a new certificate is shown only when clients could be told whom to trust", async () => {
  const store = new MemoryStore();
  const warnings: unknown[] = [];
  let [days, reachable] = [0, false];
  const keeper = keeperOf(store, {
    now: () => START + days * DAY,
    publish: async () => {
      if (!reachable) throw new Error("the API server is away");
    },
    onWarning: (error) => warnings.push(error),
  });
  const first = await keeper.look({});
  assert.equal(warnings.length, 1, "the first one is shown all the same");
  days = 61;
  assert.equal(await keeper.look({}), first);
  reachable = true;
  const second = await keeper.look({});
  assert.notEqual(second.tls.cert, first.tls.cert);
  assert.equal(await keeper.look({}), second);
});

test("a folder keeps a certificate for the next start", async (t) => {
  const store = folderIdentityStore(join(folderOf(t), "webhook"));
  const kept = await keeperOf(store).look({});
  assert.deepEqual(await keeperOf(store).look({}), kept);
});

test("files are read again when they change, and taken together only when they belong together", async (t) => {
  const folder = folderOf(t);
  const files = { cert: join(folder, "tls.crt"), key: join(folder, "tls.key") };
  const lifetime = { now: () => START, lifetimeMs: DAY };
  const authority = await createAuthority({ commonName: "test", ...lifetime });
  const issue = (): ReturnType<typeof issueCertificate> =>
    issueCertificate(authority, { commonName: "test", usage: "server", ...lifetime });
  const [one, two] = await Promise.all([issue(), issue()]);
  const keeper = fileIdentity(files);
  await assert.rejects(keeper.look({}), { code: "ENOENT" });
  writeFileSync(files.cert, one.certificate);
  writeFileSync(files.key, "nothing");
  await assert.rejects(keeper.look({}), (error) => error instanceof CliError && error.code === "TLS_INVALID");
  writeFileSync(files.key, one.key);
  const kept = await keeper.look({});
  assert.equal(await keeper.look({}), kept);
  writeFileSync(files.cert, two.certificate);
  await assert.rejects(keeper.look({}), /is the key of another$/);
  writeFileSync(files.key, two.key);
  assert.equal((await keeper.look({})).tls.cert, two.certificate);
});
