/** Tenants in memory, and a process that can be killed at any step: what the tests of this folder share. */
import assert from "node:assert/strict";

import { findSecret } from "../access/robots.ts";
import { openSqliteAccessStore } from "../access/sqlite-store.ts";
import type { AccessStore } from "../access/store.ts";
import type { Secret } from "../../internal/secret.ts";
import type { TenantDelivery, TenantLogin, TenantLogins } from "./delivery.ts";
import type { RenewOptions, TenantStores } from "./renew.ts";
import { openSqliteTenantStore } from "./sqlite-store.ts";
import type { TenantStore } from "./store.ts";
import { tenantRobot, type TenantNamespace, type TenantUse } from "./tenant.ts";

export class Killed extends Error {}

/** Where a process is killed: before its nth step, or after that took effect and before it heard so. */
export interface KillPoint {
  readonly step: number;
  readonly when: "before" | "after";
}

export class TenantWorld implements AsyncDisposable {
  readonly tenants: TenantStore = openSqliteTenantStore(":memory:");
  readonly access: AccessStore = openSqliteAccessStore(":memory:");
  /** What namespaces hold, by `shop/pull`. */
  readonly held: Map<string, Secret> = new Map();
  readonly handed: TenantLogins[] = [];
  readonly gone: Set<string> = new Set();
  now: number = 1_000_000;
  steps: number = 0;

  /** One process's view of the stores and the cluster. */
  process(kill?: KillPoint): { readonly stores: TenantStores; readonly options: RenewOptions } {
    let taken = 0;
    const step = async <Result>(act: () => Promise<Result>): Promise<Result> => {
      const here = kill?.step === taken++ ? kill : undefined;
      this.steps = taken;
      if (here?.when === "before") throw new Killed();
      const result = await act();
      await this.check();
      if (here?.when === "after") throw new Killed();
      return result;
    };
    const delivery: TenantDelivery = {
      find: ({ name }, use) => step(async () => this.held.get(`${name}/${use}`)),
      deliver: ({ name }, { use, secret }) =>
        step(async () => {
          if (this.gone.has(name)) return "gone";
          this.held.set(`${name}/${use}`, secret);
          return "delivered";
        }),
      remove: ({ name }) =>
        step(async () => {
          for (const use of ["pull", "push"]) this.held.delete(`${name}/${use}`);
        }),
    };
    const options: RenewOptions = {
      delivery,
      check: (login) => step(async () => assert.ok(await this.works(login), "checked before it works")),
      hand: (logins) => step(async () => void this.handed.push(logins)),
      clock: () => this.now,
    };
    return { stores: { tenants: counted(this.tenants, step), access: counted(this.access, step) }, options };
  }

  async works({ use, secret }: Pick<TenantLogin, "use" | "secret">, tenant = "acme"): Promise<boolean> {
    const robot = await this.access.findRobot(tenantRobot(tenant, use));
    return robot !== undefined && findSecret(robot, secret, this.now) !== undefined;
  }

  /** What a namespace holds, and what was shown last, works at every moment. */
  async check(): Promise<void> {
    for (const [place, secret] of this.held) {
      const use = place.split("/")[1] as TenantUse;
      if ((await this.access.findRobot(tenantRobot("acme", use))) === undefined) continue;
      assert.ok(await this.works({ use, secret }), `${place} holds a login that doesn't work`);
    }
    const last = this.handed.at(-1);
    if (last === undefined || (await this.access.findRobot("acme")) === undefined) return;
    assert.ok(await this.works(last.push), "the login that was shown last doesn't work");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.tenants[Symbol.asyncDispose]();
    await this.access[Symbol.asyncDispose]();
  }
}

export const SHOP: TenantNamespace = { name: "shop", pushes: true };
export const PROD: TenantNamespace = { name: "prod", pushes: false };

/** Every method that waits is a step. */
function counted<Store extends object>(
  store: Store,
  step: <Result>(act: () => Promise<Result>) => Promise<Result>,
): Store {
  return new Proxy(store, {
    get: (target, key) => {
      const member: unknown = Reflect.get(target, key, target);
      if (typeof member !== "function" || key === "generation" || typeof key === "symbol") return member;
      return (...args: unknown[]): Promise<unknown> =>
        step(async () => (await Reflect.apply(member, target, args)) as unknown);
    },
  });
}
