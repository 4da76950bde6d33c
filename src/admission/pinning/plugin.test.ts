import assert from "node:assert/strict";
import { test } from "node:test";

import type { JsonObject, KubernetesObject } from "../../kubernetes/index.ts";
import type { AdmissionDecision, AdmissionOptions, AdmissionRequest } from "../admission.ts";
import { POD_RESOURCES, podSpecPlace, readPodSpec } from "../pod-spec.ts";
import { runAdmission } from "../run-admission.ts";
import { digestOf, objectFor, requestFor, TestResolver, TestTime } from "../testing.ts";
import { DigestMemory } from "./digest-memory.ts";
import type { DigestAnswer } from "./digest-resolver.ts";
import { ORIGINALS_ANNOTATION } from "./originals.ts";
import { pinDigests, type PinOptions } from "./plugin.ts";

const A = digestOf("a");
const B = digestOf("b");

function setUp(options: Partial<PinOptions> = {}): {
  readonly admit: (request: AdmissionRequest, call?: AdmissionOptions) => Promise<AdmissionDecision>;
  readonly resolver: TestResolver;
  readonly time: TestTime;
} {
  const time = new TestTime();
  const resolver = new TestResolver((): DigestAnswer => ({ digest: A }));
  const digests = new DigestMemory({ resolver, now: time.now, startTimer: time.startTimer });
  const plugin = pinDigests({ digests, ...options });
  return { resolver, time, admit: (request, call = {}) => runAdmission([plugin], request, call) };
}

function granted(decision: AdmissionDecision): KubernetesObject {
  assert.ok(decision.allowed && decision.object, JSON.stringify(decision));
  return decision.object;
}

function messageOf(decision: AdmissionDecision): string {
  assert.ok(!decision.allowed);
  return decision.status.message ?? "";
}

function originalsOf(object: KubernetesObject): unknown {
  const text = object.metadata.annotations?.[ORIGINALS_ANNOTATION];
  return text === undefined ? undefined : JSON.parse(text);
}

const container = (image: string, name = "c"): JsonObject => ({ name, image });
const containers = (image: string): JsonObject => ({ containers: [container(image)] });

test("every image of a Pod is pinned in its own spelling, and remembered", async () => {
  const { admit, resolver } = setUp();
  const spec = {
    initContainers: [container("init", "i")],
    containers: [container("ghcr.io/team/app:v1"), container(`app@${B}`, "d")],
    volumes: [
      { name: "v", image: { reference: "data:2", pullPolicy: "Always" } },
      { name: "e", emptyDir: {} },
    ],
    imagePullSecrets: [{ name: "s" }],
    serviceAccountName: "robot",
  };
  const request = requestFor(spec);
  const object = granted(await admit(request));
  assert.deepEqual(object["spec"], {
    ...spec,
    initContainers: [container(`init:latest@${A}`, "i")],
    containers: [container(`ghcr.io/team/app:v1@${A}`), container(`app@${B}`, "d")],
    volumes: [
      { name: "v", image: { reference: `data:2@${A}`, pullPolicy: "Always" } },
      { name: "e", emptyDir: {} },
    ],
  });
  assert.deepEqual(originalsOf(object), {
    "initContainers/i": "init",
    "containers/c": "ghcr.io/team/app:v1",
    "volumes/v": "data:2",
  });
  assert.deepEqual(resolver.asked[0], {
    image: "docker.io/library/init:latest",
    namespace: "shop",
    imagePullSecrets: ["s"],
    serviceAccountName: "robot",
  });
  assert.equal((await admit(requestFor(spec, { object }))).allowed && resolver.asked.length, 3);
});

test("every kind that holds a Pod template is pinned, and what is pinned stays the same object", async () => {
  for (const resource of POD_RESOURCES) {
    const { admit } = setUp();
    const of = resource.split("/")[1] ?? "";
    const request = requestFor(containers("app:1"), { of });
    const place = podSpecPlace(request.resource);
    assert.ok(place !== undefined);
    const object = granted(await admit(request));
    assert.deepEqual(readPodSpec(object, place), containers(`app:1@${A}`), of);
    assert.deepEqual(originalsOf(object), { "containers/c": "app:1" }, of);
    assert.equal(granted(await admit({ ...request, object })), object, of);
  }
});

test("an update that changes no image asks nobody and changes nothing", async () => {
  const { admit, resolver } = setUp();
  const old = objectFor(containers("app:1"), { of: "deployments" });
  const request = requestFor(containers("app:1"), { of: "deployments", operation: "UPDATE", oldObject: old });
  assert.equal(granted(await admit(request)), request.object);
  assert.equal(resolver.asked.length, 0);
});

test("who writes the same text again gets the pin of before, though the tag moved", async () => {
  const { admit, resolver, time } = setUp();
  const stored = granted(await admit(requestFor(containers("app:1"), { of: "deployments" })));
  resolver.answer = () => ({ digest: B });
  time.advance(30 * 24 * 3_600_000);
  const again = requestFor(containers("app:1"), {
    of: "deployments",
    operation: "UPDATE",
    oldObject: stored,
  });
  assert.deepEqual(granted(await admit(again)), stored);
  assert.equal(resolver.asked.length, 1);
});

test("a changed text is pinned anew, beside others that stay", async () => {
  const { admit, resolver } = setUp();
  const both = (one: string, two: string): JsonObject => ({
    containers: [container(one, "one"), container(two, "two")],
  });
  const stored = granted(await admit(requestFor(both("app:1", "side:1"), { of: "deployments" })));
  resolver.answer = () => ({ digest: B });
  const changed = requestFor(both("app:2", "side:1"), {
    of: "deployments",
    operation: "UPDATE",
    oldObject: stored,
  });
  const object = granted(await admit(changed));
  assert.deepEqual(object, {
    ...objectFor(both(`app:2@${B}`, `side:1@${A}`), { of: "deployments" }),
    metadata: {
      name: "web",
      annotations: { [ORIGINALS_ANNOTATION]: '{"containers/one":"app:2","containers/two":"side:1"}' },
    },
  });
});

test("the annotation forgets what isn't pinned by us any more", async () => {
  const { admit } = setUp();
  const stored = granted(await admit(requestFor(containers("app:1"))));
  const update = requestFor(containers(`other@${B}`), {
    operation: "UPDATE",
    oldObject: stored,
    annotations: { ...stored.metadata.annotations, mine: "1" },
  });
  assert.deepEqual(granted(await admit(update)).metadata.annotations, { mine: "1" });
});

test("who removes the annotation has the tag looked up again", async () => {
  const { admit, resolver, time } = setUp();
  const { metadata: _, ...stored } = granted(await admit(requestFor(containers("app:1"))));
  resolver.answer = () => ({ digest: B });
  time.advance(24 * 3_600_000);
  const oldObject = { ...stored, metadata: { name: "web" } } as KubernetesObject;
  const update = requestFor(containers("app:1"), { operation: "UPDATE", oldObject });
  assert.deepEqual(granted(await admit(update))["spec"], containers(`app:1@${B}`));
});

test("an ephemeral container is pinned, without the annotation that its door would not let in", async () => {
  const { admit } = setUp();
  const old = containers("app:1");
  const spec = { ...old, ephemeralContainers: [container("debug:1", "e")] };
  const request = requestFor(spec, {
    operation: "UPDATE",
    subresource: "ephemeralcontainers",
    oldObject: objectFor(old),
  });
  const object = granted(await admit(request));
  assert.deepEqual(object["spec"], { ...old, ephemeralContainers: [container(`debug:1@${A}`, "e")] });
  assert.deepEqual(object.metadata, { name: "web" });
});

const LEFT: readonly (readonly [why: string, request: AdmissionRequest])[] = [
  ["a name that is none", requestFor(containers("NOT A valid NAME"))],
  ["no name at all", requestFor({ containers: [{ name: "c" }] })],
  ["a deletion", requestFor(containers("app:1"), { operation: "DELETE" })],
  ["another subresource", requestFor(containers("app:1"), { operation: "UPDATE", subresource: "status" })],
  ["a mirror", requestFor(containers("app:1"), { annotations: { "kubernetes.io/config.mirror": "x" } })],
  ["an object without a spec", requestFor({}, { object: objectFor({}) })],
];

for (const [why, request] of LEFT) {
  test(`${why} is left as it is`, async () => {
    const { admit, resolver } = setUp();
    const decision = await admit(request);
    assert.equal(decision.allowed && decision.object, request.object);
    assert.equal(resolver.asked.length, 0);
  });
}

const DOWN = {
  failure: { code: "UNREACHABLE", message: "registry.example.com refused the connection" },
} as const;

test("what can't be asked is refused, and the words say what to do", async () => {
  const { admit, resolver } = setUp();
  resolver.answer = () => DOWN;
  const decision = await admit(requestFor(containers("registry.example.com/app:1"), { of: "deployments" }));
  assert.equal(
    messageOf(decision),
    'deployments.apps "web" is forbidden: image "registry.example.com/app:1" of container "c" can\'t be pinned to a digest: registry.example.com refused the connection; try again later, or write its digest behind the name: name:tag@sha256:…',
  );
  assert.equal(!decision.allowed && decision.status.code, 403);
  assert.equal(
    !decision.allowed && decision.status.details?.causes?.[0]?.field,
    "spec.template.spec.containers[0].image",
  );
});

test("a registry may be admitted unpinned, with a warning, while others are refused", async () => {
  const { admit, resolver } = setUp({ rules: [{ images: "docker.io", onFailure: "admit" }] });
  resolver.answer = () => DOWN;
  const request = requestFor(containers("nginx"));
  const decision = await admit(request);
  assert.equal(granted(decision), request.object);
  assert.deepEqual(decision.warnings, [
    'image "nginx" of container "c" was not pinned to a digest: registry.example.com refused the connection',
  ]);
  assert.ok(!(await admit(requestFor(containers("ghcr.io/a/b")))).allowed);
});

test("the last known digest stands in where a rule says so, but not for an image that is gone", async () => {
  const { admit, resolver, time } = setUp({ onFailure: "last-known" });
  await admit(requestFor(containers("app:1")));
  time.advance(3 * 3_600_000);
  resolver.answer = () => DOWN;
  const decision = await admit(requestFor(containers("app:1")));
  assert.deepEqual(granted(decision)["spec"], containers(`app:1@${A}`));
  assert.match(
    decision.warnings[0] ?? "",
    /was pinned to what it was 3h ago: registry\.example\.com refused/,
  );
  assert.match(messageOf(await admit(requestFor(containers("new:1")))), /can't be pinned/);
  time.advance(3_600_000);
  resolver.answer = () => ({ failure: { code: "NOT_FOUND", message: "no such tag" } });
  assert.match(messageOf(await admit(requestFor(containers("app:1")))), /no such tag; push the tag first/);
});

test("registries may be left out of pinning", async () => {
  const { admit, resolver } = setUp({ rules: [{ images: "localhost:5000", pin: false }] });
  const request = requestFor(containers("localhost:5000/app"));
  assert.equal(granted(await admit(request)), request.object);
  assert.equal(resolver.asked.length, 0);
});

test("a registry that never answers keeps nobody beyond his deadline", async () => {
  for (const onFailure of ["refuse", "last-known", "admit"] as const) {
    const { admit, resolver } = setUp({ onFailure });
    resolver.answer = () => undefined;
    const deadline = new AbortController();
    const deciding = admit(requestFor(containers("app:1")), { deadline: deadline.signal });
    deadline.abort();
    const decision = await deciding;
    assert.equal(decision.allowed, onFailure === "admit");
    assert.match(JSON.stringify(decision), /has not answered yet/);
  }
});

test("images without end are asked for together", async () => {
  const { admit, resolver } = setUp();
  const many = Array.from({ length: 100 }, (_, index) => container(`app:${index % 50}`, `c${index}`));
  granted(await admit(requestFor({ containers: many })));
  assert.equal(resolver.asked.length, 50);
});
