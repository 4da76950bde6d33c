/** What every implementation of {@link TenantStore} has to do; each runs this suite. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { listTenants, type TenantStore } from "./store.ts";
import type { TenantRecord } from "./tenant.ts";

export function testTenantStore(name: string, open: () => Promise<TenantStore>): void {
  const check = (promise: string, body: (store: TenantStore) => Promise<void>): void => {
    test(`${name}: ${promise}`, async () => {
      await using store = await open();
      await body(store);
    });
  };

  check("a tenant is added once, and changed only by who knows its last revision", async (store) => {
    const acme = tenantNamed("acme");
    assert.equal(await store.add(acme), true);
    assert.equal(await store.add({ ...acme, registry: "other" }), false);
    assert.deepEqual(await store.find("acme"), acme);
    assert.equal(await store.find("ACME"), undefined);
    const [one, other] = [
      { ...acme, revision: 2, registry: "one" },
      { ...acme, revision: 2, registry: "other" },
    ];
    assert.deepEqual(await Promise.all([store.replace(one), store.replace(other)]), [true, false]);
    assert.deepEqual(await store.find("acme"), one);
    assert.equal(await store.replace({ ...tenantNamed("none"), revision: 2 }), false);
  });

  check("what is under way comes back as it was", async (store) => {
    const change = { kind: "rotate", step: "issue", startedAt: 5, settled: { pull: "h" } } as const;
    const acme = { ...tenantNamed("acme"), change, namespaces: [{ name: "shop", pushes: true }] };
    await store.add(acme);
    assert.deepEqual(await store.find("acme"), acme);
    await store.replace({ ...tenantNamed("acme"), revision: 2 });
    assert.equal((await store.find("acme"))?.change, undefined);
  });

  check(
    "a tenant is deleted only by who knows its last revision, and its name is free again",
    async (store) => {
      await store.add(tenantNamed("acme"));
      assert.equal(await store.delete("acme", 2), false);
      assert.equal(await store.delete("acme", 1), true);
      assert.equal(await store.delete("acme", 1), false);
      assert.equal(await store.find("acme"), undefined);
      assert.equal(await store.add(tenantNamed("acme")), true);
    },
  );

  check("lists are in order, page by page, however many there are", async (store) => {
    const names = Array.from({ length: 401 }, (_, index) => `t${String(index).padStart(3, "0")}`);
    for (const one of names.toReversed()) await store.add(tenantNamed(one));
    const page = await store.list({ after: "t000", limit: 2 });
    assert.deepEqual(
      page.map((tenant) => tenant.name),
      ["t001", "t002"],
    );
    const all: string[] = [];
    for await (const tenant of listTenants(store)) all.push(tenant.name);
    assert.deepEqual(all, names);
  });

  check("generation() changes with every change", async (store) => {
    const seen = new Set([store.generation()]);
    for (const step of [
      () => store.add(tenantNamed("acme")),
      () => store.replace({ ...tenantNamed("acme"), revision: 2 }),
      () => store.delete("acme", 2),
    ]) {
      await step();
      assert.equal(seen.has(store.generation()), false);
      seen.add(store.generation());
    }
    assert.equal(store.generation(), store.generation());
  });
}

function tenantNamed(name: string): TenantRecord {
  return {
    name,
    createdAt: 1_000,
    registry: "registry.example.com",
    quota: { maxBytes: 1_000_000 },
    deletes: false,
    namespaces: [],
    revision: 1,
  };
}
