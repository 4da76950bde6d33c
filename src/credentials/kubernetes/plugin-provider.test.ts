import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { parseDuration } from "../../internal/go/duration.ts";
import { GoError } from "../../internal/go/errors.ts";
import { Secret } from "../../internal/secret.ts";
import { CredentialProviders } from "./credential-providers.ts";
import type { LogEntry } from "./log-entry.ts";
import { PluginProvider, type PluginProviderOptions } from "./plugin-provider.ts";
import type { ProviderRequest, ProviderResponse } from "./provider-api.ts";
import type { PodIdentity, ServiceAccounts, TokenMode } from "./service-accounts.ts";

const POD: PodIdentity = { namespace: "ns", name: "pod", uid: "pod-uid", serviceAccountName: "sa" };

const TOKENS: TokenMode = {
  audience: "registry",
  requireServiceAccount: true,
  requiredAnnotationKeys: [],
  optionalAnnotationKeys: [],
  cacheType: "ServiceAccount",
};

const ACCOUNTS: ServiceAccounts = {
  get: () => Promise.resolve({ uid: "sa-uid", annotations: {} }),
  requestToken: () => Promise.resolve(new Secret("the-token")),
};

function responseOf(cacheKeyType: string, cacheDuration?: string, password: string = "p"): ProviderResponse {
  return {
    cacheKeyType,
    cacheDuration: cacheDuration === undefined ? undefined : parseDuration(cacheDuration),
    auth: new Map([["r.io", { username: "u", password: new Secret(password) }]]),
  };
}

class Bench {
  now = 0;
  readonly requests: ProviderRequest[] = [];
  readonly logs: LogEntry[] = [];
  respond: () => ProviderResponse | Promise<ProviderResponse>;
  readonly provider: PluginProvider;

  constructor(response: ProviderResponse, options: Partial<PluginProviderOptions> = {}) {
    this.respond = () => response;
    this.provider = new PluginProvider({
      name: "p",
      matchImages: ["r.io"],
      plugin: {
        exec: async (request) => {
          this.requests.push(request);
          return await this.respond();
        },
      },
      serviceAccounts: ACCOUNTS,
      now: () => this.now,
      onLog: (entry) => this.logs.push(entry),
      ...options,
    });
  }

  async reasons(...images: readonly string[]): Promise<readonly string[]> {
    const reasons: string[] = [];
    for (const image of images) reasons.push((await this.provider.provide(image, POD)).reason);
    return reasons;
  }
}

describe("a provider's answer", () => {
  for (const [type, reasons] of [
    ["Image", ["answered", "cached", "answered"]],
    ["Registry", ["answered", "cached", "cached"]],
    ["Global", ["answered", "cached", "cached"]],
  ] as const) {
    test(`is kept for its ${type}`, async () => {
      const bench = new Bench(responseOf(type, "1m"));
      assert.deepEqual(await bench.reasons("r.io/a", "r.io/a", "r.io/b"), reasons);
    });
  }

  test("is kept until its time is over, and no longer", async () => {
    const bench = new Bench(responseOf("Image", "20s"));
    await bench.reasons("r.io/a");
    bench.now = 20_000;
    assert.deepEqual(await bench.reasons("r.io/a"), ["cached"]);
    bench.now++;
    assert.deepEqual(await bench.reasons("r.io/a"), ["answered"]);
  });

  test("is kept for the default time when it names none, but not when it names zero", async () => {
    const defaultCacheDuration = parseDuration("10m");
    assert.deepEqual(
      await new Bench(responseOf("Image"), { defaultCacheDuration }).reasons("r.io/a", "r.io/a"),
      ["answered", "cached"],
    );
    const zero = new Bench(responseOf("Image", "0s"), { defaultCacheDuration });
    assert.deepEqual(await zero.reasons("r.io/a", "r.io/a"), ["answered", "answered"]);
    assert.deepEqual(zero.provider.cachedKeys, []);
    const negative = new Bench(responseOf("Image", "-1s"), { defaultCacheDuration });
    assert.deepEqual(await negative.reasons("r.io/a", "r.io/a"), ["answered", "answered"]);
  });

  test("of no known reach is refused", async () => {
    const bench = new Bench(responseOf("image"));
    const { reason, problem, document } = await bench.provider.provide("r.io/a", POD);
    assert.deepEqual(
      [reason, problem, document.size],
      ["failed", "credential provider plugin did not return a valid cacheKeyType: image", 0],
    );
  });

  test("may not be the token it was given, unless it is kept by token", async () => {
    const refused = new Bench(responseOf("Nonsense", "1m", "the-token"), { tokenMode: TOKENS });
    assert.match(
      (await refused.provider.provide("r.io/a", POD)).problem ?? "",
      /returned the service account token/,
    );
    const allowed = new Bench(responseOf("Image", "1m", "the-token"), {
      tokenMode: { ...TOKENS, cacheType: "Token" },
    });
    const { reason, serviceAccount } = await allowed.provider.provide("r.io/a", POD);
    assert.deepEqual([reason, serviceAccount], ["answered", { uid: "sa-uid", namespace: "ns", name: "sa" }]);
  });

  test("that is a failure is shared, logged and not kept", async () => {
    const bench = new Bench(responseOf("Image", "1m"));
    bench.respond = () => Promise.reject(new GoError("exit status 1"));
    const both = await Promise.all([
      bench.provider.provide("r.io/a", POD),
      bench.provider.provide("r.io/a", POD),
    ]);
    assert.deepEqual(
      both.map(({ problem }) => problem),
      Array(2).fill("failed to get credential from external registry credential provider: exit status 1"),
    );
    assert.deepEqual([bench.requests.length, bench.logs.length], [1, 2]);
    bench.respond = () => responseOf("Image", "1m");
    assert.deepEqual(await bench.reasons("r.io/a"), ["answered"]);
  });
});

describe("tokens", () => {
  test("aren't asked for when no pattern matches", async () => {
    const bench = new Bench(responseOf("Image"), {
      tokenMode: TOKENS,
      serviceAccounts: { get: () => assert.fail(), requestToken: () => assert.fail() },
    });
    assert.deepEqual(await bench.reasons("other.io/a"), ["not-matched"]);
  });

  test("of another ServiceAccount don't meet the cache of the first", async () => {
    const bench = new Bench(responseOf("Registry", "1m"), { tokenMode: TOKENS });
    await bench.reasons("r.io/a");
    const other = await bench.provider.provide("r.io/a", { ...POD, serviceAccountName: "other" });
    assert.equal(other.reason, "answered");
    assert.deepEqual(await bench.reasons("r.io/b"), ["cached"]);
  });

  test("are needed by some providers", async () => {
    const bench = new Bench(responseOf("Image"), { tokenMode: TOKENS });
    const pod = { ...POD, serviceAccountName: "" };
    assert.equal((await bench.provider.provide("r.io/a", pod)).reason, "no-service-account");
    assert.equal(bench.requests.length, 0);
  });

  test("can't be had without an API", async () => {
    const bench = new Bench(responseOf("Image"), { tokenMode: TOKENS, serviceAccounts: undefined });
    assert.equal(
      (await bench.provider.provide("r.io/a", POD)).problem,
      "failed to get service account: cannot get ServiceAccounts when kubelet is in standalone mode",
    );
  });
});

test("a caller who goes away leaves the run to the others", async () => {
  const bench = new Bench(responseOf("Image", "1m"));
  const { promise, resolve } = Promise.withResolvers<ProviderResponse>();
  bench.respond = () => promise;
  const controller = new AbortController();
  const left = bench.provider.provide("r.io/a", POD, { signal: controller.signal });
  const stays = bench.provider.provide("r.io/a", POD);
  controller.abort();
  await assert.rejects(left, { name: "AbortError" });
  resolve(responseOf("Image", "1m"));
  assert.equal((await stays).reason, "answered");
  assert.equal(bench.requests.length, 1);
});

test("what was kept and never asked for again is thrown out after a quarter of an hour", async () => {
  const bench = new Bench(responseOf("Image", "1s"));
  await bench.reasons("r.io/a", "r.io/b");
  bench.now = 15 * 60 * 1000;
  await bench.reasons("r.io/c");
  assert.equal(bench.provider.cachedKeys.length, 3);
  bench.now += 2000;
  await bench.reasons("r.io/d");
  assert.equal(bench.provider.cachedKeys.length, 1);
});

test("providers are asked in order, and their credentials carry their names and owners", async () => {
  const providers = new CredentialProviders();
  providers.register("one", new Bench(responseOf("Image"), { tokenMode: TOKENS }).provider);
  providers.register("two", new Bench(responseOf("Image")).provider);
  const { credentials } = await providers.forPod(POD).lookup("r.io/a");
  assert.deepEqual(
    credentials.map(({ origin, owner }) => [origin.label, owner?.serviceAccount?.name]),
    [
      ['credential provider one, auths["r.io"]', "sa"],
      ['credential provider two, auths["r.io"]', undefined],
    ],
  );
});
