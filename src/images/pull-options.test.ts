/** What dray adds to the kubelet's ways, each under its own name, and that nothing of it happens without the name. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { ClientError, type ClientErrorCode } from "../client/index.ts";
import { digestOf } from "../oci/index.ts";
import type { EnsureOutcome, EnsureRequest } from "./ensure.ts";
import { type AccessKeeper, ImageManager, type ImageManagerOptions } from "./image-manager.ts";
import type { ImageRuntime, RuntimeImage, RuntimePullOptions } from "./image-runtime.ts";

const IMAGE: RuntimeImage = { id: digestOf("config"), digest: digestOf("manifest"), size: 42 };
const START = Date.UTC(2026, 0, 1);

interface World {
  readonly clock: { now: number };
  readonly events: string[];
  readonly pulled: string[];
  readonly local: Set<string>;
  readonly manager: ImageManager;
  readonly ensure: (request?: Partial<EnsureRequest>) => Promise<EnsureOutcome>;
  /** What the registry answers from now on; `undefined` is the image. */
  answer: Error | undefined;
  onPull: (image: string, options: RuntimePullOptions) => Promise<void>;
}

function setUp(options: Partial<ImageManagerOptions> = {}): World {
  const clock = { now: START };
  const runtime: ImageRuntime = {
    find: async (image) => (world.local.has(image) ? IMAGE : undefined),
    pull: async (image, given = {}) => {
      world.pulled.push(image);
      await world.onPull(image, given);
      if (world.answer !== undefined) throw world.answer;
      world.local.add(image);
      return IMAGE;
    },
  };
  const rate = { qps: 0, burst: 0 };
  const manager = new ImageManager({ runtime, now: () => clock.now, rate, ...options });
  const events: string[] = [];
  const world: World = {
    clock,
    events,
    pulled: [],
    local: new Set(),
    manager,
    ensure: (request) =>
      manager.ensure({
        image: "r.example/app:1",
        policy: "Always",
        podUid: "u1",
        pod: { name: "p", namespace: "team", uid: "u1", serviceAccountName: "builder" },
        onEvent: ({ type, reason, message }) => events.push(`${type} ${reason} ${message}`),
        ...request,
      }),
    answer: undefined,
    onPull: async () => {},
  };
  return world;
}

function refusal(code: ClientErrorCode, status?: number, retryAfter?: number): ClientError {
  return new ClientError(code, `${code} of the registry`, { status, retryAfter });
}

/** A reason, or a state; and what it is about. */
function summary(outcome: EnsureOutcome): string {
  if (outcome.state !== "failed") return outcome.state;
  const { reason, detail } = outcome;
  return detail === undefined ? reason : `${reason} ${detail.kind} ${detail.because}`;
}

describe("a back-off that recovers", () => {
  test("ends with the change of a Secret, a ServiceAccount or the node's files that could mend it", async () => {
    const recover = { backOffMode: "recover" } as const;
    const secrets = { pullSecretNames: ["pull"] };
    for (const [change, request, ends] of [
      [{ kind: "secret", namespace: "team", name: "pull" }, {}, true],
      [{ kind: "secret", namespace: "team", name: "pull" }, secrets, true],
      [{ kind: "secret", namespace: "team", name: "other" }, secrets, false],
      [{ kind: "secret", namespace: "other", name: "pull" }, secrets, false],
      [{ kind: "service-account", namespace: "team", name: "builder" }, secrets, true],
      [{ kind: "service-account", namespace: "team", name: "default" }, {}, false],
      [{ kind: "node" }, secrets, true],
    ] as const) {
      const world = setUp(recover);
      world.answer = refusal("UNAUTHORIZED", 401);
      assert.equal(summary(await world.ensure(request)), "ErrImagePull permanent denied");
      assert.equal(summary(await world.ensure(request)), "ImagePullBackOff permanent denied");
      world.answer = undefined;
      const cured = world.manager.credentialsChanged(change);
      const label = JSON.stringify([change, request]);
      assert.deepEqual(cured, ends ? [{ image: "r.example/app:1", podUid: "u1" }] : [], label);
      assert.equal(
        summary(await world.ensure(request)),
        ends ? "pulled" : "ImagePullBackOff permanent denied",
      );
    }
  });

  test("goes on for what no credential mends, and begins anew for what it didn't", async () => {
    const world = setUp({ backOffMode: "recover" });
    world.answer = refusal("NETWORK_REFUSED");
    assert.equal(summary(await world.ensure()), "ErrImagePull passing unreachable");
    assert.deepEqual(world.manager.credentialsChanged({ kind: "node" }), []);
    world.clock.now += 10_000;
    world.answer = refusal("DENIED", 403);
    await world.ensure();
    assert.equal(world.manager.credentialsChanged({ kind: "node" }).length, 1);
    const again = await world.ensure();
    assert.equal(again.state === "failed" && again.retryAt, world.clock.now + 10_000);
  });

  test("leaves a registry alone for as long as it says, with all its images, and no other one", async () => {
    const world = setUp({ backOffMode: "recover" });
    world.answer = refusal("TOOMANYREQUESTS", 429, 45_000);
    const first = await world.ensure();
    assert.equal(summary(first), "ErrImagePull passing rate-limited");
    assert.equal(first.state === "failed" && first.retryAt, START + 45_000);
    world.answer = undefined;
    const second = await world.ensure({ image: "r.example/second:1", podUid: "u2" });
    assert.deepEqual(second.state === "failed" && [second.reason, second.message, second.retryAt], [
      "ImagePullBackOff",
      'Back-off pulling image "r.example/second:1": registry "r.example" asked to be left alone until 2026-01-01T00:00:45.000Z',
      START + 45_000,
    ]);
    assert.equal(summary(await world.ensure({ image: "other.example/app:1", podUid: "u3" })), "pulled");
    world.clock.now += 44_999;
    assert.equal(summary(await world.ensure()), "ImagePullBackOff passing rate-limited");
    world.clock.now += 1;
    assert.equal(summary(await world.ensure()), "pulled");
    assert.deepEqual(world.pulled, ["r.example/app:1", "other.example/app:1", "r.example/app:1"]);
  });

  test("sends away those that stand in the queue when the registry says stop", async () => {
    const world = setUp({ backOffMode: "recover" });
    const { promise, resolve } = Promise.withResolvers<void>();
    world.onPull = () => promise;
    world.answer = refusal("STATUS_UNEXPECTED", 503, 5000);
    const all = ["a", "b", "c"].map((name) => world.ensure({ image: `r.example/${name}:1`, podUid: name }));
    resolve();
    assert.deepEqual((await Promise.all(all)).map(summary), [
      "ErrImagePull passing registry-failing",
      "ImagePullBackOff passing rate-limited",
      "ImagePullBackOff passing rate-limited",
    ]);
    assert.deepEqual(world.pulled, ["r.example/a:1"]);
  });

  test("lets whoever has got new credentials through a hold, once", async () => {
    const world = setUp({ backOffMode: "recover" });
    world.answer = refusal("TOOMANYREQUESTS", 429, 60_000);
    await world.ensure();
    await world.ensure({ podUid: "held", image: "r.example/held:1" });
    assert.equal(world.manager.credentialsChanged({ kind: "node" }).length, 2);
    assert.equal(summary(await world.ensure()), "ErrImagePull passing rate-limited");
    assert.equal(summary(await world.ensure()), "ImagePullBackOff passing rate-limited");
    world.answer = undefined;
    assert.equal(summary(await world.ensure({ podUid: "held", image: "r.example/held:1" })), "pulled");
  });

  test("doesn't begin where the change came while the attempt was under way", async () => {
    for (const [name, next] of [
      ["pull", "pulled"],
      ["other", "ImagePullBackOff permanent denied"],
    ] as const) {
      const world = setUp({ backOffMode: "recover" });
      const request = { pullSecretNames: ["pull"] };
      world.answer = refusal("UNAUTHORIZED", 401);
      world.onPull = async () => {
        world.manager.credentialsChanged({ kind: "secret", namespace: "team", name });
      };
      const failed = await world.ensure(request);
      assert.equal(summary(failed), "ErrImagePull permanent denied");
      const wait = name === "pull" ? 0 : 10_000;
      assert.equal(failed.state === "failed" && failed.retryAt, START + wait);
      world.answer = undefined;
      assert.equal(summary(await world.ensure(request)), next);
    }
  });

  test("is the kubelet's own unless it is asked for", async () => {
    const world = setUp();
    world.answer = refusal("TOOMANYREQUESTS", 429, 60_000);
    const outcome = await world.ensure();
    assert.equal(outcome.state === "failed" && outcome.retryAt, START + 10_000);
    assert.deepEqual(world.manager.credentialsChanged({ kind: "node" }), []);
    world.answer = undefined;
    assert.equal(summary(await world.ensure({ podUid: "u2" })), "pulled");
    assert.equal(summary(await world.ensure()), "ImagePullBackOff passing rate-limited");
  });
});

describe("falling back on the image that is here", () => {
  test("happens where the registry can't be reached, and is told", async () => {
    const world = setUp({ pullFallback: "present" });
    world.local.add("r.example/app:1");
    for (const [answer, state] of [
      [refusal("NETWORK_DNS"), "present"],
      [refusal("STATUS_UNEXPECTED", 502), "present"],
      [refusal("TOOMANYREQUESTS", 429), "present"],
      [refusal("UNAUTHORIZED", 401), "ErrImagePull permanent denied"],
      [refusal("DENIED", 403), "ErrImagePull permanent denied"],
      [refusal("MANIFEST_UNKNOWN", 404), "ErrImagePull permanent no-such-image"],
      [refusal("TLS_UNKNOWN_AUTHORITY"), "ErrImagePull permanent untrusted"],
      [new Error("who knows"), "ErrImagePull unknown other"],
      [
        new Error("both", { cause: new AggregateError([refusal("DENIED", 403), refusal("NETWORK_DNS")]) }),
        "ErrImagePull passing unreachable",
      ],
    ] as const) {
      world.answer = answer;
      const label = `${answer.message} ${state}`;
      assert.equal(summary(await world.ensure({ podUid: label })), state, label);
    }
    world.events.length = 0;
    world.answer = refusal("NETWORK_RESET");
    const outcome = await world.ensure();
    assert.equal(outcome.state === "present" && outcome.fallback?.detail.because, "unreachable");
    const words = 'Container image "r.example/app:1" already present on machine and used as it is';
    assert.deepEqual(world.events, [
      'Normal Pulling Pulling image "r.example/app:1"',
      'Warning Failed Failed to pull image "r.example/app:1": NETWORK_RESET of the registry',
      `Normal Pulled ${words}, because its registry cannot be reached: NETWORK_RESET of the registry`,
    ]);
    const asked = world.pulled.length;
    assert.equal((await world.ensure()).state, "present", "and again while it is backed off");
    assert.equal(world.pulled.length, asked);
  });

  test("happens only under Always, for an image that is here, to a Pod that may use it, when asked for", async () => {
    const refuse: AccessKeeper = {
      recordPullIntent: async () => {},
      recordImagePulled: async () => {},
      recordImagePullFailed: async () => {},
      mustAttemptImagePull: async () =>
        ({
          mustPull: true,
          because: "no-match",
          result: "mustAuthenticate",
        }) as never,
    };
    for (const [options, request, local] of [
      [{ pullFallback: "present" }, {}, false],
      [{ pullFallback: "present" }, { policy: "Sometimes" }, true],
      [{ pullFallback: "present", access: refuse }, { policy: "IfNotPresent" }, true],
      [{ pullFallback: "present", access: refuse }, {}, true],
      [{ pullFallback: "none" }, {}, true],
      [{}, {}, true],
    ] as const) {
      const world = setUp(options);
      if (local) world.local.add("r.example/app:1");
      world.answer = refusal("NETWORK_REFUSED");
      assert.equal(
        summary(await world.ensure(request)),
        "ErrImagePull passing unreachable",
        JSON.stringify([options, request, local]),
      );
    }
  });
});

describe("the order of pulls", () => {
  /** One slow pull; behind it these, at once. The order in which they are pulled. */
  async function orderOf(
    options: Partial<ImageManagerOptions>,
    requests: readonly (readonly [name: string, priority: number])[],
    sizes: Readonly<Record<string, number>> = {},
  ): Promise<readonly string[]> {
    const world = setUp(options);
    world.onPull = async (image, { onProgress }) => {
      const total = sizes[image.replace(/^.*\/|:1$/g, "")] ?? 0;
      onProgress?.({ bytes: 0, total });
      world.answer = refusal("NETWORK_RESET");
    };
    for (const name of Object.keys(sizes))
      await world.ensure({ image: `r.example/${name}:1`, podUid: "before" });
    world.pulled.length = 0;
    const { promise, resolve } = Promise.withResolvers<void>();
    world.onPull = async (image) => (image.includes("slow") ? promise : undefined);
    const slow = world.ensure({ image: "r.example/slow:1" });
    const all = requests.map(([name, priority]) =>
      world.ensure({ image: `r.example/${name}:1`, podUid: name, priority }),
    );
    // Each has to come to the queue before the first leaves it.
    await new Promise((done) => setImmediate(done));
    resolve();
    await Promise.all([slow, ...all]);
    return world.pulled.slice(1).map((image) => image.replace(/^.*\/|:1$/g, ""));
  }

  const REQUESTS = [
    ["low", -5],
    ["large", 0],
    ["unknown", 0],
    ["small", 0],
    ["high", 1000],
  ] as const;
  const SIZES = { large: 2000, small: 1000 };

  test("is that of arrival unless asked otherwise", async () => {
    assert.deepEqual(await orderOf({}, REQUESTS, SIZES), ["low", "large", "unknown", "small", "high"]);
  });

  test("learns sizes while pulls wait: another Pod's pull of a small image brings the next one forward", async () => {
    const world = setUp({ pullOrder: "priority" });
    const { promise, resolve } = Promise.withResolvers<void>();
    world.onPull = async (image, { onProgress }) => {
      onProgress?.({ bytes: 0, total: image.includes("small") ? 10 : 1000 });
      if (world.pulled.length === 1) await promise;
    };
    const names = ["first", "large", "small", "large", "large", "small"];
    const all = names.map((name, index) =>
      world.ensure({ image: `r.example/${name}:1`, podUid: String(index) }),
    );
    await new Promise((done) => setImmediate(done));
    resolve();
    await Promise.all(all);
    assert.deepEqual(
      world.pulled.map((image) => image.replace(/^.*\/|:1$/g, "")),
      // Nothing is known of the second; then large ones are known, so they come before what isn't; the fourth turn is fair.
      ["first", "large", "large", "large", "small", "small"],
    );
  });

  test("by priority is the Pod's, then small images first; every fourth turn the longest wait", async () => {
    assert.deepEqual(await orderOf({ pullOrder: "priority" }, REQUESTS.slice(1), SIZES), [
      "high",
      "small",
      "large",
      "unknown",
    ]);
    const crowd = Array.from({ length: 12 }, (_, index) => [`high-${index}`, 1000] as const);
    const order = await orderOf({ pullOrder: "priority" }, [["low", 0], ["lower", -1], ...crowd]);
    assert.deepEqual([order.indexOf("low"), order.indexOf("lower")], [3, 7]);
  });
});

describe("progress", () => {
  test("is told for every pull: place, bytes, parts, speed and time left", async () => {
    const world = setUp();
    const seen: string[] = [];
    const stop = world.manager.subscribe(({ image, phase, place, bytes, total, rate, timeLeft }) =>
      seen.push(
        [image.slice(10, -2), phase, place ?? "", `${bytes}/${total}`, rate, timeLeft].join(" ").trimEnd(),
      ),
    );
    const { promise, resolve } = Promise.withResolvers<void>();
    world.onPull = async (image, { onProgress }) => {
      if (!image.includes("/a:")) return;
      for (const bytes of [100, 300, 500]) {
        onProgress?.({ bytes, total: 1000, contents: [] });
        world.clock.now += 1000;
      }
      await promise;
    };
    const all = ["a", "b", "c"].map((name) => world.ensure({ image: `r.example/${name}:1`, podUid: name }));
    await new Promise((done) => setImmediate(done));
    assert.deepEqual(
      seen,
      [
        "a queued  0/0",
        "b queued 1 0/0",
        "c queued 2 0/0",
        "a resolving  0/0",
        "b queued 1 0/0",
        "c queued 2 0/0",
        "a fetching  100/1000",
        "a fetching  300/1000 200 3500",
        "a fetching  500/1000 200 2500",
      ].map((line) => line.trimEnd()),
    );
    const later: string[] = [];
    world.manager.subscribe(({ image, phase, place }) =>
      later.push(`${image.slice(10, -2)} ${phase} ${place ?? ""}`),
    );
    assert.deepEqual(
      later.slice(0, 3),
      ["a fetching ", "b queued 1", "c queued 2"],
      "how it is on subscribing",
    );
    stop();
    seen.length = 0;
    resolve();
    await Promise.all(all);
    assert.deepEqual(seen, []);
    assert.deepEqual(
      later.filter((line) => line.includes("done")),
      ["a done ", "b done ", "c done "],
    );
  });

  test("as a stream gives the latest of each pull to a slow reader, ends with its signal, and keeps little", async () => {
    const world = setUp();
    const controller = new AbortController();
    const reports = world.manager.progress({ signal: controller.signal })[Symbol.asyncIterator]();
    const first = reports.next();
    await world.ensure({ image: "r.example/first:1" });
    assert.equal((await first).value?.image, "r.example/first:1");
    for (let index = 0; index < 3000; index++) {
      await world.ensure({ image: `r.example/i${index}:1`, podUid: String(index) });
    }
    world.answer = refusal("DENIED", 403);
    await world.ensure({ image: "r.example/last:1" });
    controller.abort();
    assert.equal((await reports.next()).done, true);

    const open = world.manager.progress();
    const reader = open[Symbol.asyncIterator]();
    const next = reader.next();
    const phases: string[] = [];
    world.answer = undefined;
    await world.ensure({ podUid: "first" });
    assert.equal((await next).value?.podUid, "first");
    for (let index = 0; index < 3000; index++) await world.ensure({ podUid: `again ${index}` });
    for (let report = await reader.next(); ; report = await reader.next()) {
      if (report.done === true) break;
      phases.push(report.value.phase);
      if (phases.length === 1024) break;
    }
    assert.equal(
      phases.filter((phase) => phase === "done").length,
      1024,
      "one report a pull, and only the last ones",
    );
    await reader.return?.();
  });

  test("says when a pull failed or was given up", async () => {
    const world = setUp();
    const ends: string[] = [];
    world.manager.subscribe(
      ({ phase }) => void (phase === "failed" || phase === "cancelled" ? ends.push(phase) : 0),
    );
    world.answer = refusal("DENIED", 403);
    await world.ensure();
    const controller = new AbortController();
    world.onPull = async () => controller.abort(new Error("enough"));
    await assert.rejects(world.ensure({ podUid: "u2", signal: controller.signal }), /enough/);
    assert.deepEqual(ends, ["failed", "cancelled"]);
  });
});
