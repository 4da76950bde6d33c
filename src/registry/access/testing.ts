/** A registry with access control, in memory, and what callers of it send: what the tests of this folder share. */
import assert from "node:assert/strict";

import { Secret } from "../../internal/secret.ts";
import { digestOf } from "../../oci/index.ts";
import { TestRegistry, type Headers } from "../testing.ts";
import type { AccessConfig } from "./config.ts";
import { openAccess, type OpenAccessOptions } from "./open.ts";
import { openSqliteAccessStore } from "./sqlite-store.ts";
import type { AccessStore } from "./store.ts";
import { putUser } from "./users.ts";

/** The lowest cost there is: these hashes keep nobody out. */
export const CHEAP = 4;

export interface TokenAnswer {
  readonly token?: string;
  readonly access_token: string;
  readonly expires_in: number;
  readonly issued_at: string;
  readonly scope?: string;
  readonly refresh_token?: string;
}

export class AccessWorld implements AsyncDisposable {
  readonly store: AccessStore;
  readonly registry: TestRegistry;
  readonly failures: unknown[];
  readonly #stack: AsyncDisposableStack;
  readonly #clock: { now: number };

  private constructor(
    store: AccessStore,
    registry: TestRegistry,
    rest: { stack: AsyncDisposableStack; clock: { now: number }; failures: unknown[] },
  ) {
    this.store = store;
    this.registry = registry;
    this.failures = rest.failures;
    this.#stack = rest.stack;
    this.#clock = rest.clock;
  }

  /** Users have their own names backwards as passwords. */
  static async open(
    config: AccessConfig,
    options: Partial<OpenAccessOptions> & { readonly users?: readonly string[] } = {},
  ): Promise<AccessWorld> {
    const stack = new AsyncDisposableStack();
    const store = stack.use(openSqliteAccessStore(":memory:"));
    for (const name of options.users ?? []) {
      await putUser(store, name, { password: new Secret(passwordOf(name)), cost: CHEAP });
    }
    const clock = { now: Date.UTC(2030, 0, 1) };
    const failures: unknown[] = [];
    const access = stack.use(
      await openAccess(config, {
        store,
        clock: () => clock.now,
        onFailure: (error) => failures.push(error),
        ...options,
      }),
    );
    const registry = stack.use(new TestRegistry({ access, clock: () => clock.now }));
    return new AccessWorld(store, registry, { stack, clock, failures });
  }

  get now(): number {
    return this.#clock.now;
  }

  /** Milliseconds. */
  pass(time: number): void {
    this.#clock.now += time;
  }

  async send(method: string, path: string, headers: Headers = {}, body?: string): Promise<Response> {
    return await this.registry.send(method, path, body, headers);
  }

  /** A token by GET, anonymous without a login. */
  async token(
    scope: string,
    headers: Headers = {},
    more: Readonly<Record<string, string>> = {},
  ): Promise<TokenAnswer> {
    const query = new URLSearchParams({ service: "registry.test", scope, ...more });
    const answer = await this.send("GET", `/auth/token?${query.toString()}`, headers);
    assert.equal(answer.status, 200, await answer.clone().text());
    return (await answer.json()) as TokenAnswer;
  }

  async form(fields: Readonly<Record<string, string>>): Promise<Response> {
    const headers = { "Content-Type": "application/x-www-form-urlencoded" };
    return await this.send("POST", "/auth/token", headers, new URLSearchParams(fields).toString());
  }

  /** Pushes a blob and an empty index tagged `1`. */
  async fill(repository: string, headers: Headers): Promise<string> {
    const digest = await this.pushBlob(repository, `content of ${repository}`, headers);
    const index = JSON.stringify({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: [],
      annotations: { repository },
    });
    const put = await this.send("PUT", `/v2/${repository}/manifests/1`, headers, index);
    assert.equal(put.status, 201, await put.text());
    return digest;
  }

  async pushBlob(repository: string, text: string, headers: Headers): Promise<string> {
    const digest = digestOf(text);
    const path = `/v2/${repository}/blobs/uploads/?digest=${digest}`;
    const answer = await this.send("POST", path, headers, text);
    assert.equal(answer.status, 201, await answer.text());
    return digest;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

export function passwordOf(name: string): string {
  return name.split("").toReversed().join("");
}

export function basic(login: string, password: string = passwordOf(login)): Headers {
  return { Authorization: `Basic ${Buffer.from(`${login}:${password}`).toString("base64")}` };
}

export function bearer(token: string): Headers {
  return { Authorization: `Bearer ${token}` };
}
