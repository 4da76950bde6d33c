import assert from "node:assert/strict";
import { test } from "node:test";

import { TestRegistry } from "../testing.ts";
import { hasImages, measureTenant } from "./images.ts";
import { deleteTenant } from "./remove.ts";
import { createTenant, rotateTenant } from "./renew.ts";
import { Killed, PROD, SHOP, TenantWorld } from "./testing.ts";

const ACME = {
  name: "acme",
  registry: "registry.example.com",
  quota: { maxTags: 9 },
  deletes: false,
  namespaces: [SHOP, PROD],
} as const;

async function setUp(): Promise<{ world: TenantWorld; registry: TestRegistry } & AsyncDisposable> {
  const world = new TenantWorld();
  const registry = new TestRegistry();
  const { stores, options } = world.process();
  await createTenant(stores, ACME, options);
  const close = async (): Promise<void> => {
    await world[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
  };
  return { world, registry, [Symbol.asyncDispose]: close };
}

async function push(registry: TestRegistry, repository: string): Promise<void> {
  await registry.pushBlob(repository, `blob of ${repository}`);
  const index = { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [] };
  const type = { "Content-Type": index.mediaType };
  for (const tag of ["1", "2"]) {
    const document = { ...index, annotations: { repository, tag } };
    assert.equal((await registry.put(`/v2/${repository}/manifests/${tag}`, document, type)).status, 201);
  }
}

test("measureTenant() counts what is below its name, and nothing of its neighbours", async () => {
  await using set = await setUp();
  const { registry } = set;
  for (const name of ["acme", "acme/app", "acme/deep/app", "acme-two/app", "acm/app", "acme.x"]) {
    await push(registry, name);
  }
  const { bytes, ...counts } = await measureTenant(registry.metadata, "acme");
  assert.deepEqual(counts, { repositories: 3, manifests: 6, tags: 6 });
  const one = await measureTenant(registry.metadata, "acm");
  assert.ok(bytes > 2 * one.bytes && bytes < 4 * one.bytes);
  assert.deepEqual(await measureTenant(registry.metadata, "none"), {
    repositories: 0,
    manifests: 0,
    tags: 0,
    bytes: 0,
  });
});

test("a tenant with images isn't deleted until somebody says what becomes of them", async () => {
  await using set = await setUp();
  const { world, registry } = set;
  const { stores, options } = world.process();
  await push(registry, "acme/app");
  const { metadata } = registry;
  await assert.rejects(deleteTenant(stores, "acme", { metadata, delivery: options.delivery }), {
    code: "TENANT_HOLDS_IMAGES",
  });
  assert.equal(world.held.size, 3, "nothing was begun");
  const outcome = await deleteTenant(stores, "acme", {
    metadata,
    delivery: options.delivery,
    images: "keep",
  });
  assert.deepEqual(outcome, { kept: true });
  assert.equal(world.held.size, 0);
  assert.deepEqual(await world.access.listRobots({ limit: 9 }), []);
  const left = await world.tenants.find("acme");
  assert.ok(
    left?.deletedAt !== undefined && left.namespaces.length === 0 && left.quota.maxTags === undefined,
  );
  await assert.rejects(rotateTenant(stores, "acme", options), { code: "TENANT_UNKNOWN" });

  world.handed.length = 0;
  await createTenant(stores, ACME, options);
  assert.equal((await world.tenants.find("acme"))?.deletedAt, undefined);
  assert.equal(await hasImages(metadata, "acme"), true);

  await push(registry, "other/app");
  await deleteTenant(stores, "acme", { metadata, delivery: options.delivery, images: "delete" });
  assert.equal(await world.tenants.find("acme"), undefined);
  assert.equal(await hasImages(metadata, "acme"), false);
  assert.equal((await registry.send("GET", "/v2/acme/app/manifests/1")).status, 404);
  assert.equal((await registry.send("GET", "/v2/other/app/manifests/1")).status, 200);
});

test("images that were kept are deleted by a second word", async () => {
  await using set = await setUp();
  const { world, registry } = set;
  const { stores } = world.process();
  const { metadata } = registry;
  await push(registry, "acme/app");
  await deleteTenant(stores, "acme", { metadata, images: "keep" });
  await assert.rejects(deleteTenant(stores, "acme", { metadata }), { code: "TENANT_HOLDS_IMAGES" });
  await deleteTenant(stores, "acme", { metadata, images: "delete" });
  assert.equal(await world.tenants.find("acme"), undefined);
  await assert.rejects(deleteTenant(stores, "acme", { metadata }), { code: "TENANT_UNKNOWN" });
});

test("deleteTenant() that was killed anywhere is brought to its end by doing it again", async () => {
  let steps: number;
  {
    await using set = await setUp();
    const { stores, options } = set.world.process();
    await deleteTenant(stores, "acme", { metadata: set.registry.metadata, delivery: options.delivery });
    steps = set.world.steps;
  }
  assert.ok(steps > 5);
  for (let step = 0; step < steps; step++) {
    for (const when of ["before", "after"] as const) {
      await using set = await setUp();
      const { world, registry } = set;
      await push(registry, "acme/app");
      const { metadata } = registry;
      const killed = world.process({ step, when });
      const images = "delete";
      const { delivery } = killed.options;
      await deleteTenant(killed.stores, "acme", { metadata, delivery, images }).catch((error: unknown) => {
        assert.ok(error instanceof Killed);
      });
      const { stores, options } = world.process();
      if ((await world.tenants.find("acme")) !== undefined) {
        const change = (await world.tenants.find("acme"))?.change;
        if (change?.kind === "delete")
          await assert.rejects(rotateTenant(stores, "acme", options), { code: "TENANT_BUSY" });
        // What was decided stands.
        const again = change === undefined ? images : undefined;
        await deleteTenant(stores, "acme", { metadata, delivery: options.delivery, images: again });
      }
      assert.equal(await world.tenants.find("acme"), undefined);
      assert.equal(world.held.size, 0);
      assert.deepEqual(await world.access.listRobots({ limit: 9 }), []);
      assert.equal(await hasImages(metadata, "acme"), false);
    }
  }
});
