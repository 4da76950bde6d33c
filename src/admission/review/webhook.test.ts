import assert from "node:assert/strict";
import { test } from "node:test";

import type { JsonObject } from "../../kubernetes/index.ts";
import { alwaysPullImages } from "../always-pull-images.ts";
import type { AdmissionPlugin } from "../admission.ts";
import { DigestMemory } from "../pinning/digest-memory.ts";
import { pinDigests } from "../pinning/plugin.ts";
import { forbidLatest } from "../policy/image-rules.ts";
import { imagePolicy } from "../policy/plugin.ts";
import { digestOf, requestFor, TestResolver, TestTime } from "../testing.ts";
import { type ReviewReport, Webhook, type WebhookOptions } from "./webhook.ts";

function reviewOf(request: JsonObject | undefined): JsonObject {
  return { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", request };
}

const POD = requestFor({ containers: [{ name: "c", image: "app" }] }).object;
const RESOURCE = { group: "", version: "v1", resource: "pods" };
const KIND = { group: "", version: "v1", kind: "Pod" };
const REQUEST = {
  uid: "1",
  operation: "CREATE",
  resource: RESOURCE,
  kind: KIND,
  namespace: "shop",
  object: POD,
};

function webhookOf(chain: readonly AdmissionPlugin[], options: Partial<WebhookOptions> = {}): Webhook {
  const routes = { "/mutate": { chain, phase: "admit" }, "/validate": { chain, phase: "validate" } } as const;
  return new Webhook({ routes, ...options });
}

async function post(
  webhook: Webhook,
  body: unknown,
  { path = "/mutate", contentType = "application/json", method = "POST" } = {},
): Promise<{ readonly status: number; readonly body: JsonObject; readonly headers: Headers }> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const headers = { "content-type": contentType };
  const init = method === "GET" ? { method } : { method, headers, body: text };
  const answer = await webhook.fetch(new Request(`https://dray${path}`, init));
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as JsonObject };
}

test("a refusal tells what to change, without the words that the API server puts before it", async () => {
  const webhook = webhookOf([imagePolicy({ rules: [forbidLatest] })]);
  const { body } = await post(webhook, reviewOf(REQUEST), { path: "/validate" });
  const message =
    'image "app" of container "c" has no tag, which means latest; name a version, as in app:1.2.3';
  assert.deepEqual(body["response"], {
    uid: "1",
    allowed: false,
    status: {
      metadata: {},
      status: "Failure",
      message,
      reason: "Forbidden",
      details: {
        name: "web",
        kind: "pods",
        causes: [{ reason: "FieldValueForbidden", field: "spec.containers[0].image", message }],
      },
      code: 403,
    },
  });
  assert.deepEqual((await post(webhook, reviewOf(REQUEST))).body["response"], { uid: "1", allowed: true });
});

const BAD: readonly (readonly [
  why: string,
  body: unknown,
  options: { readonly path?: string; readonly contentType?: string; readonly method?: string },
  code: number,
  message: RegExp,
])[] = [
  ["broken JSON", "{", {}, 400, /its body is no JSON/],
  ["a list", [], {}, 400, /it is no JSON object/],
  ["another kind", { kind: "Pod", apiVersion: "v1" }, {}, 400, /its kind is "Pod", not AdmissionReview/],
  [
    "another version",
    { ...reviewOf(REQUEST), apiVersion: "admission.k8s.io/v1beta1" },
    {},
    400,
    /its apiVersion is "admission.k8s.io\/v1beta1"; ask for admission.k8s.io\/v1 in admissionReviewVersions/,
  ],
  ["no request", reviewOf(undefined), {}, 400, /it has no request/],
  ["no uid", reviewOf({ ...REQUEST, uid: "" }), {}, 400, /no uid/],
  ["an operation of its own", reviewOf({ ...REQUEST, operation: "EAT" }), {}, 400, /its operation is "EAT"/],
  ["an object that is none", reviewOf({ ...REQUEST, object: "pod" }), {}, 400, /object is no object/],
  ["odd metadata", reviewOf({ ...REQUEST, object: { metadata: 1 } }), {}, 400, /metadata is no object/],
  ["no resource", reviewOf({ ...REQUEST, resource: {} }), {}, 400, /names no resource/],
  [
    "YAML",
    "{}",
    { contentType: "application/yaml" },
    415,
    /content type "application\/yaml", not application\/json/,
  ],
  ["a GET", "", { method: "GET" }, 405, /reviews are posted/],
  ["another path", "{}", { path: "/../mutate/x" }, 404, /reviews are answered at \/mutate, \/validate/],
];

for (const [why, body, options, code, message] of BAD) {
  test(`${why} is answered ${code}`, async () => {
    const answer = await post(webhookOf([alwaysPullImages]), body, options);
    assert.equal(answer.status, code);
    assert.equal(answer.body["kind"], "Status");
    assert.match(answer.body["message"] as string, message);
    assert.equal(answer.headers.get("allow"), code === 405 ? "POST" : null);
  });
}

test("bodies beyond the limit are answered 413", async () => {
  const webhook = webhookOf([], { bodyLimit: 1000 });
  assert.equal((await post(webhook, reviewOf(REQUEST))).status, 200);
  const answer = await post(webhook, reviewOf({ ...REQUEST, name: "x".repeat(1000) }));
  assert.equal(answer.status, 413);
  assert.match(answer.body["message"] as string, /more than 1000 bytes/);
});

test("objects whose members are of other types than they should be pass through", async () => {
  const chain = [alwaysPullImages, imagePolicy({ rules: [forbidLatest] })];
  for (const spec of [null, 1, [], { containers: {} }, { containers: [1] }, { volumes: [{ image: 1 }] }]) {
    const review = reviewOf({ ...REQUEST, object: { ...POD, spec } });
    for (const path of ["/mutate", "/validate"]) {
      assert.deepEqual((await post(webhookOf(chain), review, { path })).body["response"], {
        uid: "1",
        allowed: true,
      });
    }
  }
});

test("a defect is told of, and answered without a word about it", async () => {
  const errors: unknown[] = [];
  const broken: AdmissionPlugin = {
    name: "broken",
    admit: () => {
      throw new Error("inner words");
    },
  };
  const answer = await post(
    webhookOf([broken], { onError: (error) => errors.push(error) }),
    reviewOf(REQUEST),
  );
  assert.equal(answer.status, 500);
  assert.doesNotMatch(JSON.stringify(answer.body), /inner words/);
  assert.equal(errors.length, 1);
});

test("reviews are reported with what became of them", async () => {
  const reports: ReviewReport[] = [];
  let now = 0;
  const webhook = webhookOf([alwaysPullImages], {
    clock: () => (now += 5),
    onReview: (report) => reports.push(report),
  });
  await post(webhook, reviewOf(REQUEST));
  assert.deepEqual(
    reports.map(({ path, milliseconds, decision }) => [path, milliseconds, decision.reasons.length]),
    [["/mutate", 5, 1]],
  );
});

for (const [query, own, limit] of [
  ["", 9000, 9000],
  ["?timeout=3s", 9000, 2700],
  ["?timeout=30s", 9000, 9000],
  ["?timeout=never", 500, 500],
] as const) {
  test(`with a registry that hangs, ${query === "" ? "a review" : query} is answered after ${limit} ms`, async () => {
    const time = new TestTime();
    const resolver = new TestResolver(() => undefined);
    await using digests = new DigestMemory({ resolver, now: time.now, startTimer: time.startTimer });
    const webhook = webhookOf([pinDigests({ digests })], { startTimer: time.startTimer, deadline: own });
    let answered = false;
    const answering = post(webhook, reviewOf(REQUEST), { path: `/mutate${query}` }).then((answer) => {
      answered = true;
      return answer;
    });
    while (time.running < 2) await new Promise((resolve) => setImmediate(resolve));
    time.advance(limit - 1);
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(!answered);
    time.advance(1);
    const { response } = (await answering).body as { readonly response?: JsonObject };
    assert.match(JSON.stringify(response), /has not answered yet; try again later/);
  });
}

test("a client that goes away is no defect", async () => {
  const time = new TestTime();
  const resolver = new TestResolver(() => undefined);
  await using digests = new DigestMemory({ resolver, now: time.now, startTimer: time.startTimer });
  const errors: unknown[] = [];
  const options = { startTimer: time.startTimer, onError: (error: unknown) => void errors.push(error) };
  const webhook = webhookOf([pinDigests({ digests })], options);
  const leaving = new AbortController();
  const init = { method: "POST", headers: { "content-type": "application/json" }, signal: leaving.signal };
  const answering = webhook.fetch(
    new Request("https://dray/mutate", { ...init, body: JSON.stringify(reviewOf(REQUEST)) }),
  );
  while (resolver.asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
  leaving.abort();
  assert.equal((await answering).status, 500);
  assert.deepEqual(errors, []);
});

test("no timer is left behind", async () => {
  const time = new TestTime();
  const resolver = new TestResolver(() => ({ digest: digestOf("a") }));
  await using digests = new DigestMemory({ resolver, now: time.now, startTimer: time.startTimer });
  const webhook = webhookOf([pinDigests({ digests })], { startTimer: time.startTimer });
  for (let round = 0; round < 3; round++) await post(webhook, reviewOf(REQUEST));
  assert.equal(time.running, 0);
});

test("what was let pass a moment ago is let pass again, under its own uid, and no longer than a moment", async () => {
  let [now, asked] = [0, 0];
  const plugin: AdmissionPlugin = {
    name: "counting",
    admit: (request) => {
      asked++;
      return {
        allowed: request.name !== "bad",
        warnings: [],
        reasons: [],
        status: NO,
        object: request.object,
      } as never;
    },
  };
  const reports: ReviewReport[] = [];
  const webhook = webhookOf([plugin], { clock: () => now, onReview: (report) => reports.push(report) });
  const ask = async (uid: string, name: string): Promise<JsonObject> => {
    const { uid: _, ...rest } = REQUEST;
    // In the order of an API server.
    const review = {
      kind: "AdmissionReview",
      apiVersion: "admission.k8s.io/v1",
      request: { uid, ...rest, name },
    };
    return (await post(webhook, review)).body["response"] as JsonObject;
  };
  const [one, two] = ["1".repeat(36), "2".repeat(36)];
  assert.deepEqual(await ask(one, "good"), { uid: one, allowed: true });
  assert.deepEqual(await ask(two, "good"), { uid: two, allowed: true });
  assert.equal(asked, 2, "what came once may never come again");
  assert.deepEqual(await ask(one, "good"), { uid: one, allowed: true });
  assert.equal(asked, 2);
  assert.deepEqual(
    reports.map(({ review }) => review.uid),
    [one, two, one],
  );
  now = 1001;
  await ask(one, "good");
  assert.equal(asked, 3);
  for (const uid of [one, two, one]) assert.equal((await ask(uid, "bad"))["allowed"], false);
  assert.equal(asked, 6, "refusals are looked at each time");
});

const NO = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message: "no" } as const;
