import assert from "node:assert/strict";
import { test } from "node:test";

import type { JsonObject } from "../../kubernetes/index.ts";
import type { AdmissionDecision } from "../admission.ts";
import { runAdmission } from "../run-admission.ts";
import { digestOf, objectFor, requestFor } from "../testing.ts";
import { allowedImages, forbidLatest, type ImageRule, requireDigest } from "./image-rules.ts";
import { imagePolicy } from "./plugin.ts";

const containers = (image: string): JsonObject => ({ containers: [{ name: "c", image }] });

async function complaintOf(rule: ImageRule, image: string): Promise<string | undefined> {
  const decision = await runAdmission([imagePolicy({ rules: [rule] })], requestFor(containers(image)));
  if (decision.allowed) return undefined;
  const prefix = `pods "web" is forbidden: image ${JSON.stringify(image)} of container "c" `;
  const { message = "" } = decision.status;
  assert.ok(message.startsWith(prefix), message);
  return message.slice(prefix.length);
}

const ALLOWED = allowedImages(["registry.example.com", "docker.io/library/*"], ["docker.io/library/alpine"]);

const CASES: readonly (readonly [rule: ImageRule, image: string, complaint: string | undefined])[] = [
  [ALLOWED, "nginx", undefined],
  [ALLOWED, "registry.example.com/team/app:1", undefined],
  [ALLOWED, "alpine:3", 'is denied by the rule "docker.io/library/alpine"; use another one'],
  [
    ALLOWED,
    "ghcr.io/team/app",
    "comes from ghcr.io/team/app, which is not allowed; use one of registry.example.com, docker.io/library/*",
  ],
  [forbidLatest, "nginx", "has no tag, which means latest; name a version, as in nginx:1.2.3"],
  [forbidLatest, "nginx:latest", "has the tag latest, which moves; name a version, as in nginx:1.2.3"],
  [forbidLatest, "nginx:1", undefined],
  [forbidLatest, `nginx@${digestOf("a")}`, undefined],
  [forbidLatest, `nginx:latest@${digestOf("a")}`, undefined],
  [requireDigest, `nginx:1@${digestOf("a")}`, undefined],
  [requireDigest, "nginx:1", "has no digest; write nginx:1@sha256:… (dray digest nginx:1 prints it)"],
  [requireDigest, "NOT A valid NAME", undefined],
];

for (const [rule, image, complaint] of CASES) {
  test(`${rule.name}: ${image} ${complaint === undefined ? "passes" : "is refused"}`, async () => {
    assert.equal(await complaintOf(rule, image), complaint);
  });
}

function judge(
  request: Parameters<typeof runAdmission>[1],
  options: Partial<Parameters<typeof imagePolicy>[0]> = {},
): Promise<AdmissionDecision> {
  return runAdmission([imagePolicy({ rules: [forbidLatest], ...options })], request);
}

test("templates, image volumes and ephemeral containers are judged, each in its place", async () => {
  const spec = {
    containers: [{ name: "c", image: "a:1" }],
    volumes: [{ name: "v", image: { reference: "b" } }],
  };
  const template = await judge(requestFor(spec, { of: "cronjobs" }));
  assert.deepEqual(!template.allowed && template.status.details?.causes, [
    {
      reason: "FieldValueForbidden",
      field: "spec.jobTemplate.spec.template.spec.volumes[0].image.reference",
      message: 'image "b" of volume "v" has no tag, which means latest; name a version, as in b:1.2.3',
    },
  ]);
  const old = containers("a:1");
  const debugged = { ...old, ephemeralContainers: [{ name: "e", image: "b" }] };
  const update = {
    operation: "UPDATE",
    subresource: "ephemeralcontainers",
    oldObject: objectFor(old),
  } as const;
  assert.ok(!(await judge(requestFor(debugged, update))).allowed);
});

test("what an object had before is left alone", async () => {
  const update = { operation: "UPDATE", oldObject: objectFor(containers("a")) } as const;
  assert.ok((await judge(requestFor(containers("a"), update))).allowed);
  assert.ok(!(await judge(requestFor(containers("b"), update))).allowed);
  assert.ok((await judge(requestFor(containers("b"), { operation: "DELETE" }))).allowed);
});

test("rules may warn only, and leave namespaces out", async () => {
  const warned = await judge(requestFor(containers("a")), { warnOnly: true });
  assert.ok(warned.allowed);
  assert.equal(warned.warnings.length, 1);
  assert.ok((await judge(requestFor(containers("a")), { exemptNamespaces: ["shop"] })).allowed);
});

test("rules may take their time, and all complaints are told at once", async () => {
  const slow: ImageRule = { name: "signed", judge: async () => "has no signature" };
  const decision = await judge(requestFor(containers("a")), { rules: [forbidLatest, slow] });
  assert.match(
    !decision.allowed ? (decision.status.message ?? "") : "",
    /no tag.*; image "a".* has no signature/,
  );
});
