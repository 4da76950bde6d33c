import assert from "node:assert/strict";
import { test } from "node:test";

import { createRobot } from "../access/robots.ts";
import { createTenant, rotateTenant, setTenantQuota, type TenantDraft } from "./renew.ts";
import { checkTenantName, tenantRobot, type TenantRecord } from "./tenant.ts";
import { Killed, type KillPoint, PROD, SHOP, TenantWorld } from "./testing.ts";

const HOUR = 3_600_000;
const ACME: TenantDraft = {
  name: "acme",
  registry: "registry.example.com",
  quota: { maxBytes: 1_000 },
  deletes: false,
  namespaces: [SHOP, PROD],
};

async function create(world: TenantWorld, kill?: KillPoint): Promise<TenantRecord> {
  const { stores, options } = world.process(kill);
  return await createTenant(stores, ACME, { ...options, overlap: 0 });
}

async function rotate(world: TenantWorld, kill?: KillPoint, overlap = HOUR): Promise<TenantRecord> {
  const { stores, options } = world.process(kill);
  return await rotateTenant(stores, "acme", { ...options, overlap });
}

/** All places hold the newest secrets, and nothing is under way. */
async function assertSettled(world: TenantWorld, most: number): Promise<void> {
  assert.equal((await world.tenants.find("acme"))?.change, undefined);
  assert.deepEqual([...world.held.keys()].toSorted(), ["prod/pull", "shop/pull", "shop/push"]);
  assert.equal(world.held.get("prod/pull")?.reveal(), world.held.get("shop/pull")?.reveal());
  assert.equal(world.handed.at(-1)?.push.secret.reveal(), world.held.get("shop/push")?.reveal());
  for (const use of ["pull", "push"] as const) {
    const robot = await world.access.findRobot(tenantRobot("acme", use));
    assert.ok(
      robot !== undefined && robot.secrets.length <= most,
      `${use} has ${robot?.secrets.length} secrets`,
    );
    assert.equal(robot.secrets[0]?.expiresAt, undefined);
    for (const old of robot.secrets.slice(1))
      assert.ok(old.expiresAt !== undefined && old.expiresAt > world.now);
  }
}

/** Every point at which a process can be killed while it does this. */
async function* killPoints(act: (world: TenantWorld) => Promise<unknown>): AsyncGenerator<KillPoint> {
  await using world = new TenantWorld();
  await act(world);
  assert.ok(world.steps > 10);
  for (let step = 0; step < world.steps; step++) {
    for (const when of ["before", "after"] as const) yield { step, when };
  }
}

test("createTenant() gives each robot its rights, each namespace its login, and shows them once", async () => {
  await using world = new TenantWorld();
  const tenant = await create(world);
  await assertSettled(world, 1);
  assert.equal(world.handed.length, 1);
  assert.deepEqual(tenant.quota, { maxBytes: 1_000 });
  const robots = await world.access.listRobots({ limit: 10 });
  assert.deepEqual(
    robots.map(({ name, grants, groups }) => ({ name, grants, groups })),
    [
      {
        name: "acme",
        grants: [{ repositories: ["acme/**"], actions: ["pull", "push"] }],
        groups: ["tenant:acme"],
      },
      {
        name: "acme.pull",
        grants: [{ repositories: ["acme/**"], actions: ["pull"] }],
        groups: ["tenant:acme"],
      },
    ],
  );
});

test("createTenant() refuses a name that is taken, by a tenant or by a robot made by hand", async () => {
  await using world = new TenantWorld();
  await create(world);
  await assert.rejects(create(world), { code: "TENANT_EXISTS" });
  await createRobot(world.access, "globex.pull");
  const { stores, options } = world.process();
  await assert.rejects(createTenant(stores, { ...ACME, name: "globex" }, options), {
    code: "ACCOUNT_EXISTS",
  });
  assert.equal(await world.tenants.find("globex"), undefined);
});

test("createTenant() that was killed anywhere is brought to its end by doing it again", async () => {
  for await (const point of killPoints(create)) {
    await using world = new TenantWorld();
    await assert.rejects(create(world, point), Killed);
    const where = `${point.when} step ${point.step}`;
    const known = await world.tenants.find("acme");
    // Nothing is left to do, where it was killed after the last step.
    if (known !== undefined && known.change === undefined) continue;
    await create(world);
    assert.equal((await world.tenants.find("acme"))?.change, undefined, where);
    await assertSettled(world, 1);
  }
});

test("rotateTenant() that was killed anywhere leaves every namespace a login that works, also while it goes on", async () => {
  const both = async (world: TenantWorld): Promise<void> => {
    await create(world);
    await rotate(world);
  };
  for await (const point of killPoints(both)) {
    await using world = new TenantWorld();
    await create(world);
    const first = world.held.get("prod/pull")?.reveal();
    await rotate(world, point).catch((error: unknown) => assert.ok(error instanceof Killed));
    // However long nobody comes to end it.
    world.now += 1_000 * HOUR;
    await world.check();
    const before = (await world.tenants.find("acme"))?.change;
    await rotate(world);
    await world.check();
    await assertSettled(world, 3);
    assert.notEqual(world.held.get("prod/pull")?.reveal(), first);
    // A killed run may have shown its logins to somebody, too; only where it came to end the old ones are those over.
    const wasIssuing = before?.kind === "rotate" && before.step === "issue";
    for (const { push, pull } of wasIssuing ? world.handed : []) {
      assert.ok((await world.works(push)) && (await world.works(pull)));
    }
    world.now += HOUR;
    await world.check();
    const { stores, options } = world.process();
    await rotateTenant(stores, "acme", { ...options, overlap: 0 });
    await assertSettled(world, 1);
  }
});

test("rotateTenant() can be killed again and again at the same place", async () => {
  for (const step of [6, 12, 18, 22]) {
    await using world = new TenantWorld();
    await create(world);
    // One that is still in its overlap is of less worth than the one that everybody has.
    await rotate(world, undefined, 1_000 * HOUR);
    for (let times = 0; times < 12; times++) {
      await rotate(world, { step, when: "after" }).catch((error: unknown) =>
        assert.ok(error instanceof Killed),
      );
      world.now += 60_000;
      await world.check();
      const robot = await world.access.findRobot("acme.pull");
      assert.ok((robot?.secrets.length ?? 0) <= 6, `${robot?.secrets.length} secrets`);
    }
    await rotate(world);
    await world.check();
  }
});

test("old logins work for the overlap and not a moment longer", async () => {
  await using world = new TenantWorld();
  await create(world);
  const [old] = world.handed;
  assert.ok(old !== undefined);
  await rotate(world);
  world.now += HOUR - 1;
  assert.equal(await world.works(old.push), true);
  assert.equal(await world.works(old.pull), true);
  world.now += 1;
  assert.equal(await world.works(old.push), false);
  assert.equal(await world.works(old.pull), false);
  const rotated = await world.tenants.find("acme");
  assert.equal(rotated?.rotatedAt, world.now - HOUR);
});

test("a login that the registry refuses reaches nobody, and the old one stays", async () => {
  await using world = new TenantWorld();
  await create(world);
  const before = new Map(world.held);
  const { stores, options } = world.process();
  const check = async (): Promise<void> => {
    throw new Error("refused");
  };
  await assert.rejects(rotateTenant(stores, "acme", { ...options, check }), /refused/);
  assert.deepEqual(world.held, before);
  world.now += 1_000 * HOUR;
  await world.check();
});

test("a namespace that is gone doesn't hold up the others; one that fails does, until it works", async () => {
  await using world = new TenantWorld();
  await create(world);
  world.gone.add("shop");
  const { stores, options } = world.process();
  const gone: string[] = [];
  await rotateTenant(stores, "acme", { ...options, onGone: ({ name }) => gone.push(name) });
  assert.deepEqual(gone, ["shop"]);
  world.gone.clear();
  const old = world.held.get("shop/pull");
  const failing: typeof options = {
    ...options,
    delivery: {
      ...(options.delivery as NonNullable<typeof options.delivery>),
      deliver: async (namespace, login) => {
        if (namespace.name === "shop") throw new Error("forbidden");
        return (await options.delivery?.deliver(namespace, login)) ?? "gone";
      },
    },
  };
  await assert.rejects(rotateTenant(stores, "acme", failing), /forbidden/);
  assert.equal(world.held.get("shop/pull"), old);
  const change = (await world.tenants.find("acme"))?.change;
  assert.equal(change?.kind === "rotate" && change.step, "issue");
  await rotate(world);
  assert.equal(world.held.get("shop/pull")?.reveal(), world.held.get("prod/pull")?.reveal());
});

test("what somebody else undoes is delivered again, and given up when it never stays", async () => {
  await using world = new TenantWorld();
  await create(world);
  const { stores, options } = world.process();
  const { delivery } = options;
  assert.ok(delivery !== undefined);
  for (const [times, ends] of [
    [1, true],
    [9, false],
  ] as const) {
    let undone = 0;
    const fighting: typeof delivery = {
      ...delivery,
      deliver: async (namespace, login) => {
        const before = world.held.get("prod/pull");
        const outcome = await delivery.deliver(namespace, login);
        if (namespace.name === "prod" && before !== undefined && undone++ < times)
          world.held.set("prod/pull", before);
        return outcome;
      },
    };
    const rotating = rotateTenant(stores, "acme", { ...options, delivery: fighting });
    if (ends) await rotating;
    else await assert.rejects(rotating, { code: "TENANT_BUSY" });
    await world.check();
  }
});

test("namespaces join by a rotation, and a quota changes without one", async () => {
  await using world = new TenantWorld();
  await create(world);
  const { stores, options } = world.process();
  const namespaces = [SHOP, PROD, { name: "lab", pushes: false }];
  const tenant = await rotateTenant(stores, "acme", { ...options, changes: { namespaces } });
  assert.deepEqual(tenant.namespaces, namespaces);
  assert.equal(world.held.get("lab/pull")?.reveal(), world.held.get("shop/pull")?.reveal());
  const updated = await setTenantQuota(stores, "acme", { maxTags: 5 });
  assert.deepEqual(updated.quota, { maxTags: 5 });
  await assert.rejects(setTenantQuota(stores, "none", {}), { code: "TENANT_UNKNOWN" });
  await assert.rejects(rotateTenant(stores, "none", options), { code: "TENANT_UNKNOWN" });
});

test("tenants have names that are DNS labels", () => {
  for (const name of ["a", "a-b", "a--b", "0", "x".repeat(63)]) checkTenantName(name);
  for (const name of ["", "A", "a.b", "a_b", "-a", "a-", "a/b", "x".repeat(64), "a\n"]) {
    assert.throws(() => checkTenantName(name), { code: "TENANT_INVALID" }, name);
  }
});
