import assert from "node:assert/strict";
import { test } from "node:test";

import { CliError } from "../errors.ts";
import { admissionSettings } from "./options.ts";
import { readAdmissionSettings } from "./settings-file.ts";

const FULL = `
alwaysPullImages: true
pinning:
  onFailure: last-known
  ttl: 5m
  stale: 1h
  keep: 7d
  registries:
    - { images: docker.io, onFailure: admit }
    - { images: "localhost:5000", pin: false }
policy:
  mode: warn
  allowed: [registry.example.com, docker.io/library/*]
  denied: [docker.io/library/alpine]
  forbidLatest: true
  requireDigest: true
  exemptNamespaces: [monitoring]
deadline: 9s
`;

test("every setting is read", () => {
  assert.deepEqual(readAdmissionSettings(FULL, "f"), {
    alwaysPullImages: true,
    pinning: {
      onFailure: "last-known",
      ttl: 300_000,
      stale: 3_600_000,
      keep: 604_800_000,
      registries: [
        { images: "docker.io", pin: undefined, onFailure: "admit" },
        { images: "localhost:5000", pin: false, onFailure: undefined },
      ],
    },
    policy: {
      mode: "warn",
      allowed: ["registry.example.com", "docker.io/library/*"],
      denied: ["docker.io/library/alpine"],
      forbidLatest: true,
      requireDigest: true,
      exemptNamespaces: ["monitoring"],
    },
    deadline: 9000,
  });
});

test("an empty file asks for nothing, and pinning: true for its defaults", () => {
  const nothing = { alwaysPullImages: false, pinning: undefined, policy: undefined, deadline: undefined };
  assert.deepEqual(readAdmissionSettings("", "f"), nothing);
  const { pinning } = readAdmissionSettings("pinning: true", "f");
  assert.deepEqual(pinning?.registries, []);
  assert.equal(readAdmissionSettings("pinning: false", "f").pinning, undefined);
});

const WRONG: readonly (readonly [text: string, why: RegExp])[] = [
  ["- 1", /it is not a mapping$/],
  ["a: [", /"f" as settings: Flow sequence/],
  ["alwaysPull: true", /there is no member "alwaysPull"; there are alwaysPullImages, pinning/],
  ["alwaysPullImages: yes please", /alwaysPullImages takes true or false$/],
  ["pinning: 1", /pinning takes a mapping$/],
  ["pinning: { onFailure: ignore }", /pinning.onFailure takes refuse or last-known or admit$/],
  ["pinning: { ttl: 5 minutes }", /pinning.ttl takes a duration, as in 90s/],
  ["pinning: { ttl: 5 }", /pinning.ttl takes a text$|pinning.ttl takes a duration/],
  [
    "pinning: { registries: [{ image: x }] }",
    /no member "pinning.registries\[0\].image"; there are images, pin/,
  ],
  [
    "pinning: { registries: [{ images: nginx }] }",
    /registries\[0\].images: Cannot use image pattern "nginx"/,
  ],
  ["policy: { allowed: docker.io }", /policy.allowed takes a list$/],
  ["policy: { allowed: [1] }", /policy.allowed\[0\] takes a text$/],
  ["policy: { mode: off }", /policy.mode takes enforce or warn$/],
  ["deadline: soon", /deadline takes a duration/],
];

for (const [text, why] of WRONG) {
  test(`${JSON.stringify(text)} is refused with its place`, () => {
    assert.throws(
      () => readAdmissionSettings(text, "f"),
      (error) => {
        assert.ok(error instanceof CliError && error.code === "SETTINGS_INVALID");
        assert.match(error.message, why);
        return true;
      },
    );
  });
}

test("options add to what a file says", async () => {
  const context = { cwd: import.meta.dirname };
  const nothing = await admissionSettings({}, context);
  assert.deepEqual(nothing, { alwaysPullImages: false, pinning: undefined, policy: undefined });
  const some = await admissionSettings(
    { "always-pull-images": true, "pin-on-failure": "admit", allow: ["docker.io"], "warn-only": true },
    context,
  );
  assert.ok(some.alwaysPullImages);
  assert.deepEqual(some.pinning, { registries: [], onFailure: "admit" });
  assert.equal(some.policy?.mode, "warn");
  assert.deepEqual(some.policy?.allowed, ["docker.io"]);
});
