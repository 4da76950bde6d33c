import assert from "node:assert/strict";
import { test } from "node:test";

import { digestOf } from "../oci/index.ts";
import type { EnsureOutcome, EnsureRequest } from "./ensure.ts";
import { ImageManager, type ImageManagerOptions } from "./image-manager.ts";
import type { ImageRuntime, RuntimeImage } from "./image-runtime.ts";

const IMAGE: RuntimeImage = { id: digestOf("config"), digest: digestOf("manifest"), size: 42 };

class FakeRuntime implements ImageRuntime {
  readonly calls: string[] = [];
  readonly local = new Set<string>();
  inspectError: Error | undefined;
  pullError: Error | undefined;
  onPull: () => Promise<void> = async () => {};

  async find(image: string): Promise<RuntimeImage | undefined> {
    this.calls.push(`find ${image}`);
    if (this.inspectError !== undefined) throw this.inspectError;
    return this.local.has(image) ? IMAGE : undefined;
  }

  async pull(image: string): Promise<RuntimeImage> {
    this.calls.push(`pull ${image}`);
    await this.onPull();
    if (this.pullError !== undefined) throw this.pullError;
    this.local.add(image);
    return IMAGE;
  }
}

function setUp(options: Partial<ImageManagerOptions> = {}): {
  runtime: FakeRuntime;
  clock: { now: number };
  events: string[];
  ensure: (request: Partial<EnsureRequest>) => Promise<EnsureOutcome>;
} {
  const runtime = new FakeRuntime();
  const clock = { now: 1_000_000 };
  const events: string[] = [];
  const manager = new ImageManager({ runtime, now: () => clock.now, ...options });
  const ensure = (request: Partial<EnsureRequest>): Promise<EnsureOutcome> =>
    manager.ensure({
      image: "app:1",
      policy: "IfNotPresent",
      podUid: "u1",
      onEvent: ({ type, reason, message }) => events.push(`${type} ${reason} ${message}`),
      ...request,
    });
  return { runtime, clock, events, ensure };
}

function failureOf(outcome: EnsureOutcome): string {
  assert.equal(outcome.state, "failed");
  return outcome.state === "failed" ? `${outcome.reason}: ${outcome.message}` : "";
}

test("ensure() asks the runtime only what the policy needs to know", async () => {
  for (const [policy, local, calls, state] of [
    ["IfNotPresent", true, ["find app:1"], "present"],
    ["IfNotPresent", false, ["find app:1", "pull app:1"], "pulled"],
    ["Always", true, ["pull app:1"], "pulled"],
    ["Never", true, ["find app:1"], "present"],
    ["Never", false, ["find app:1"], "failed"],
    ["Sometimes", true, ["pull app:1"], "pulled"],
  ] as const) {
    const { runtime, ensure } = setUp();
    if (local) runtime.local.add("app:1");
    const outcome = await ensure({ policy });
    assert.equal(outcome.state, state, policy);
    assert.deepEqual(runtime.calls, calls, policy);
  }
});

test("ensure() adds the tag latest for the runtime and keeps the Pod's spelling in its words", async () => {
  const { runtime, events, ensure, clock } = setUp();
  runtime.onPull = async () => void (clock.now += 1500.9);
  assert.equal((await ensure({ image: "busybox", policy: "Always" })).state, "pulled");
  assert.deepEqual(runtime.calls, ["pull busybox:latest"]);
  assert.deepEqual(events, [
    'Normal Pulling Pulling image "busybox"',
    'Normal Pulled Successfully pulled image "busybox" in 1.5s (1.5s including waiting). Image size: 42 bytes.',
  ]);
});

test("ensure() says what is wrong with a name in the kubelet's words", async () => {
  for (const [image, cause] of [
    ["Not A Name", "invalid reference format: repository name (library/Not A Name) must be lowercase"],
    ["a b", "invalid reference format"],
    ["", "invalid reference format"],
    ["localhost/Foo:1", "invalid reference format: repository name (Foo) must be lowercase"],
    ["a".repeat(64), "invalid repository name (AAAA), cannot specify 64-byte hexadecimal strings"],
    [`app@sha256:${"a".repeat(65)}`, "invalid checksum digest length"],
    [`app@sha1:${"a".repeat(40)}`, "unsupported digest algorithm"],
  ] as const) {
    const { ensure, runtime } = setUp();
    const expected = cause.replace("AAAA", image);
    assert.equal(
      failureOf(await ensure({ image })),
      `InvalidImageName: Failed to apply default image tag "${image}": couldn't parse image name "${image}": ${expected}`,
    );
    assert.deepEqual(runtime.calls, []);
  }
});

test("ensure() refuses an absent image under Never, and reports a failed presence check", async () => {
  const { ensure, runtime, events } = setUp();
  const message = 'Container image "app:1" is not present with pull policy of Never';
  assert.equal(failureOf(await ensure({ policy: "Never" })), `ErrImageNeverPull: ${message}`);
  assert.deepEqual(events, [`Warning ErrImageNeverPull ${message}`]);
  runtime.inspectError = new Error("disk gone");
  assert.equal(failureOf(await ensure({})), 'ImageInspectError: Failed to inspect image "": disk gone');
});

test("ensure() backs off for 10, 20, 40 … 300 seconds and remembers why", async () => {
  const { ensure, runtime, clock, events } = setUp();
  runtime.pullError = new Error("no such tag");
  for (const delay of [10, 20, 40, 80, 160, 300, 300]) {
    assert.equal(failureOf(await ensure({})), "ErrImagePull: no such tag");
    clock.now += delay * 1000 - 1;
    assert.equal(
      failureOf(await ensure({})),
      'ImagePullBackOff: Back-off pulling image "app:1": ErrImagePull: no such tag',
    );
    clock.now += 1;
  }
  assert.deepEqual(events.slice(0, 3), [
    'Normal Pulling Pulling image "app:1"',
    'Warning Failed Failed to pull image "app:1": no such tag',
    'Normal BackOff Back-off pulling image "app:1"',
  ]);
  assert.equal(failureOf(await ensure({})).slice(0, 12), "ErrImagePull");
  assert.match(failureOf(await ensure({ podUid: "u2" })), /^ErrImagePull/);
});

test("ensure() starts afresh after twice the longest delay, not after a success", async () => {
  const { ensure, runtime, clock } = setUp();
  const fail = async (): Promise<void> => {
    runtime.pullError = new Error("x");
    assert.match(failureOf(await ensure({ policy: "Always" })), /^ErrImagePull/);
    runtime.pullError = undefined;
  };
  await fail();
  clock.now += 10_000;
  assert.equal((await ensure({ policy: "Always" })).state, "pulled");
  await fail();
  clock.now += 19_999;
  assert.match(failureOf(await ensure({ policy: "Always" })), /^ImagePullBackOff/);
  clock.now += 600_001;
  await fail();
  clock.now += 10_000;
  assert.equal((await ensure({ policy: "Always" })).state, "pulled");
});

test("ensure() knows the two failures that runtimes mark by prefix", async () => {
  const { ensure, runtime } = setUp();
  runtime.pullError = new Error("RegistryUnavailable: timed out");
  assert.equal(
    failureOf(await ensure({})),
    "RegistryUnavailable: image pull failed for app:1 because the registry is unavailable: timed out",
  );
  runtime.pullError = new Error("SignatureValidationFailed");
  assert.equal(
    failureOf(await ensure({ podUid: "u2" })),
    "SignatureValidationFailed: image pull failed for app:1 because the signature validation failed",
  );
});

test("ensure() refuses pulls beyond the rate at once", async () => {
  const { ensure, clock } = setUp({ rate: { qps: 1, burst: 2 } });
  const pull = async (podUid: string): Promise<string> => {
    const outcome = await ensure({ policy: "Always", podUid });
    return outcome.state === "failed" ? outcome.message : outcome.state;
  };
  assert.equal(await pull("a"), "pulled");
  assert.equal(await pull("b"), "pulled");
  assert.equal(await pull("c"), "pull QPS exceeded");
  clock.now += 1000;
  assert.equal(await pull("d"), "pulled");
});

test("ensure() pulls one image at a time by default and counts the waiting apart", async () => {
  const { ensure, runtime, clock } = setUp();
  let running = 0;
  let most = 0;
  runtime.onPull = async () => {
    most = Math.max(most, ++running);
    await Promise.resolve();
    clock.now += 100;
    running--;
  };
  const outcomes = await Promise.all(
    ["a:1", "b:1", "c:1"].map((image) => ensure({ image, policy: "Always" })),
  );
  assert.equal(most, 1);
  const last = outcomes[2];
  assert.ok(last?.state === "pulled");
  assert.deepEqual([last.duration, last.durationWithWaiting], [100, 300]);
});

test("ensure() throws only when it is told to stop", async () => {
  const { ensure, runtime } = setUp();
  const controller = new AbortController();
  runtime.onPull = async () => {
    controller.abort(new Error("enough"));
    throw new Error("cut");
  };
  await assert.rejects(ensure({ signal: controller.signal }), /enough/);
  runtime.onPull = async () => {};
  assert.equal((await ensure({})).state, "pulled", "an abandoned pull is no failure that counts");
});
