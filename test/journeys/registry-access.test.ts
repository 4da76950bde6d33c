/**
 * A registry that asks who comes, over real HTTP and from a real folder, and our own client before it: with passwords
 * and with tokens it logs in, pushes, pulls, mounts and lists, and meets every refusal there is.
 */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";

import { buildImage } from "../../src/build/index.ts";
import { ConfiguredHosts, RegistryClient, type ClientError } from "../../src/client/index.ts";
import { Secret, StaticSource, type CredentialCandidate } from "../../src/credentials/index.ts";
import type { Descriptor } from "../../src/oci/index.ts";
import {
  ACCESS_FILE,
  createRobot,
  openSqliteAccessStore,
  parseAccessConfig,
  putUser,
  rotateRobot,
  serveRegistry,
} from "../../src/registry/index.ts";
import type { AccessStore } from "../../src/registry/index.ts";

const POLICIES = `
lockOut: { account: 3, recovery: 1m }
groups:
  developers: [alice, robot:ci]
policies:
  - repositories: ["public/**"]
    actions: [pull]
    subjects: [everyone]
  - repositories: ["public/**", "team/**"]
    actions: [pull, push]
    subjects: [group:developers]
  - repositories: ["**"]
    actions: [pull, push, delete]
    subjects: [user:root]
  - repositories: ["other/**"]
    actions: [pull, push]
    subjects: [user:bob]
`;
const TOKENS = `
tokens: { service: registry.test, lifetime: 60s }
`;

interface Login {
  readonly login: string;
  readonly secret: Secret;
}

interface World {
  readonly domain: string;
  readonly store: AccessStore;
  /** The registry's own time goes on. */
  readonly pass: (time: number) => void;
  readonly clientOf: (login?: Login) => RegistryClient;
  /** Builds an image into a repository. */
  readonly push: (login: Login, repository: string) => Promise<Descriptor>;
}

function userOf(name: string): Login {
  return { login: name, secret: new Secret(`password of ${name}`) };
}

const [ROOT, ALICE, BOB] = [userOf("root"), userOf("alice"), userOf("bob")];

async function setUp(t: TestContext, config: string): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "dray-access-"));
  let now = Date.now();
  const dir = join(folder, "registry");
  const access = parseAccessConfig(config, "access.yaml");
  await mkdir(dir);
  const served = await serveRegistry({ dir, port: 0, access, clock: () => now });
  const store = openSqliteAccessStore(join(dir, ACCESS_FILE));
  for (const { login, secret } of [ROOT, ALICE, BOB])
    await putUser(store, login, { password: secret, cost: 4 });
  const domain = `${served.address}:${served.port}`;
  const clients: RegistryClient[] = [];
  t.after(async () => {
    for (const client of clients) await client.close();
    await served.close();
    await store[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  const clientOf = (login?: Login): RegistryClient => {
    const credentials = new StaticSource(
      login === undefined ? [] : [{ registry: domain, candidate: candidateOf(login) }],
    );
    const hosts = new ConfiguredHosts({ defaultScheme: "http" });
    const client = new RegistryClient({ hosts, credentials, clock: () => now, retry: { attempts: 1 } });
    clients.push(client);
    return client;
  };
  const push = async (login: Login, repository: string): Promise<Descriptor> => {
    await writeFile(join(folder, "file"), `what ${login.login} has for ${repository}`);
    const to = clientOf(login).repository(domain, repository);
    return (await buildImage({ to, as: "1", context: folder, copy: [{ from: "file" }] })).descriptor;
  };
  return { domain, store, pass: (time) => (now += time), clientOf, push };
}

function candidateOf({ login, secret }: Login): CredentialCandidate {
  const origin = { kind: "argument", label: "test" } as const;
  return { credential: { kind: "basic", username: login, password: secret }, origin };
}

function failsWith(code: string): (error: ClientError) => boolean {
  return (error) => {
    assert.equal(error.code, code, error.message);
    return true;
  };
}

for (const [how, config] of [
  ["passwords", POLICIES],
  ["tokens", POLICIES + TOKENS],
] as const) {
  describe(`with ${how}`, () => {
    test("an image goes from one who may push to all who may pull", async (t) => {
      const world = await setUp(t, config);
      const { domain } = world;
      const image = await world.push(ALICE, "team/app");
      const resolve = async (login: Login | undefined, name: string): Promise<string> =>
        (await world.clientOf(login).repository(domain, name).resolve("1")).digest;
      assert.equal(await resolve(ALICE, "team/app"), image.digest);
      assert.equal(await resolve(ROOT, "team/app"), image.digest);
      await assert.rejects(resolve(BOB, "team/app"), failsWith("DENIED"));
      await assert.rejects(resolve(undefined, "team/app"), failsWith("UNAUTHORIZED"));
      const stranger = { login: "alice", secret: new Secret("guess") };
      await assert.rejects(resolve(stranger, "team/app"), failsWith("UNAUTHORIZED"));
      const shown = await world.push(ALICE, "public/app");
      assert.equal(await resolve(undefined, "public/app"), shown.digest);
      await assert.rejects(world.push(BOB, "public/app"), failsWith("DENIED"));
      const alices = world.clientOf(ALICE).repository(domain, "team/app");
      await assert.rejects(alices.deleteTag("1"), failsWith("DENIED"));
      assert.equal(await world.clientOf(ROOT).repository(domain, "team/app").deleteTag("1"), true);
    });

    test("lists and mounts know nothing of what the caller may not pull", async (t) => {
      const world = await setUp(t, config);
      const { domain } = world;
      for (const name of ["hidden/a", "public/a", "team/a", "team/b", "zoo"]) await world.push(ROOT, name);
      const catalog = async (login?: Login): Promise<string[]> => {
        // Pages of two: what isn't seen takes no place in them.
        return await Array.fromAsync(world.clientOf(login).catalog(domain, { pageSize: 2 }));
      };
      assert.deepEqual(await catalog(ALICE), ["public/a", "team/a", "team/b"]);
      assert.deepEqual(await catalog(BOB), ["public/a"]);
      // Without a password nobody is anybody; with an anonymous token, one of everyone.
      if (how === "tokens") assert.deepEqual(await catalog(), ["public/a"]);
      else await assert.rejects(catalog(), failsWith("UNAUTHORIZED"));
      assert.deepEqual(await catalog(ROOT), ["hidden/a", "public/a", "team/a", "team/b", "zoo"]);
      const tags = Array.fromAsync(world.clientOf(BOB).repository(domain, "team/a").tags());
      await assert.rejects(tags, failsWith("DENIED"));
      const source = world.clientOf(ROOT).repository(domain, "team/a");
      const { bytes } = await source.manifest("1");
      const manifest = JSON.parse(Buffer.from(bytes).toString()) as { layers: Descriptor[] };
      const layer = manifest.layers[0] as Descriptor;
      const referrers = Array.fromAsync(
        world.clientOf(BOB).repository(domain, "team/a").referrers(layer.digest),
      );
      await assert.rejects(referrers, failsWith("DENIED"));
      const mount = async (login: Login, to: string): Promise<boolean> =>
        await world.clientOf(login).repository(domain, to).mount(layer, "team/a");
      assert.equal(await mount(ALICE, "team/c"), true);
      assert.equal(await mount(BOB, "other/app"), false);
      assert.equal(await world.clientOf(BOB).repository(domain, "other/app").has(layer), false);
    });

    test("rotating a robot's secret interrupts nobody", async (t) => {
      const world = await setUp(t, config);
      const { domain } = world;
      await world.push(ALICE, "team/app");
      const first = await createRobot(world.store, "ci");
      const pull = async (login: Login): Promise<void> => {
        await world.clientOf(login).repository(domain, "team/app").resolve("1");
      };
      await pull(first);
      let [rotated, pulls] = [false, 0];
      const second = rotateRobot(world.store, "ci", { overlap: 3_600_000 }).finally(() => (rotated = true));
      do {
        await pull(first);
        pulls++;
      } while (!rotated || pulls < 3);
      await pull(await second);
      await pull(first);
      world.pass(7_200_000);
      await pull(await second);
      await assert.rejects(pull(first), failsWith("UNAUTHORIZED"));
    });

    test("who guesses is held off and told until when", async (t) => {
      const world = await setUp(t, config);
      await world.push(ALICE, "team/app");
      const resolve = async (secret: string): Promise<unknown> => {
        const client = world.clientOf({ login: "bob", secret: new Secret(secret) });
        return await client.repository(world.domain, "other/app").resolve("1");
      };
      const codes: string[] = [];
      for (let index = 0; index < 6; index++) {
        await resolve(`guess ${index}`).catch((error: ClientError) => codes.push(error.code));
      }
      assert.deepEqual([codes[0], codes.at(-1)], ["UNAUTHORIZED", "TOOMANYREQUESTS"]);
      await assert.rejects(resolve("password of bob"), (error: ClientError) => {
        return error.code === "TOOMANYREQUESTS" && error.retryAfter !== undefined && error.retryAfter > 0;
      });
      world.pass(60_000);
      await assert.rejects(resolve("password of bob"), failsWith("MANIFEST_UNKNOWN"));
    });
  });
}

test("a client works on when its token ends, and stops when its user does", async (t) => {
  const world = await setUp(t, POLICIES + TOKENS);
  const image = await world.push(ALICE, "team/app");
  const repository = world.clientOf(ALICE).repository(world.domain, "team/app");
  for (let index = 0; index < 3; index++) {
    assert.equal((await repository.resolve("1")).digest, image.digest);
    world.pass(10 * 60_000);
  }
  await world.store.deleteUser("alice");
  await assert.rejects(repository.resolve("1"), failsWith("UNAUTHORIZED"));
});

test("what was made by one process is known to the next", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "dray-access-"));
  t.after(() => rm(folder, { recursive: true }));
  const access = parseAccessConfig(POLICIES + TOKENS, "access.yaml");
  const query = "service=registry.test&scope=repository:team/app:pull&offline_token=true";
  let robot: Login | undefined;
  let token = "";
  for (let run = 0; run < 2; run++) {
    await using served = await serveRegistry({ dir: folder, port: 0, access });
    const base = `http://${served.address}:${served.port}`;
    if (robot === undefined) {
      await using store = openSqliteAccessStore(join(folder, ACCESS_FILE));
      robot = await createRobot(store, "ci");
      const basic = Buffer.from(`${robot.login}:${robot.secret.reveal()}`).toString("base64");
      const answer = await fetch(`${base}/auth/token?${query}`, {
        headers: { Authorization: `Basic ${basic}` },
      });
      token = ((await answer.json()) as { token: string }).token;
    }
    const probe = await fetch(`${base}/v2/`, { headers: { Authorization: `Bearer ${token}` } });
    assert.equal(probe.status, 200, `run ${run}`);
  }
});
