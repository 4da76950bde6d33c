import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import type { RegistryError } from "../errors.ts";
import { compileAccessConfig, parseAccessConfig, type AccessConfig } from "./config.ts";
import { decideAccess } from "./policy.ts";

const WHOLE = `
realm: registry.example.com
htpasswd: users.htpasswd
groups:
  developers: [alice, robot:ci]
policies:
  - name: developers push
    repositories: ["team/**"]
    actions: [pull, push]
    subjects: [group:developers]
  - effect: deny
    repositories: ["team/released"]
    actions: [push]
    subjects: [everyone]
tokens:
  lifetime: 90s
  refresh: 30d
trusted:
  - issuer: https://issuer.example.com
    audience: registry.example.com
    jwks: https://issuer.example.com/jwks.json
lockOut: { account: 3, address: 9, recovery: 2m }
trustedProxies: [10.0.0.0/8, "::1"]
`;

test("a whole configuration means what it says", () => {
  const compiled = compileAccessConfig(parseAccessConfig(WHOLE, "access.yaml"));
  assert.deepEqual(
    [...compiled.groups],
    [
      ["alice", ["developers"]],
      ["robot:ci", ["developers"]],
    ],
  );
  assert.equal(compiled.tokens?.lifetime, 90_000);
  assert.equal(compiled.tokens.refresh, 30 * 86_400_000);
  assert.equal(compiled.tokens.service, "registry.example.com");
  assert.deepEqual(compiled.lockOut, { account: 3, address: 9, recovery: 120_000 });
  assert.equal(compiled.proxies.check("10.1.2.3"), true);
  assert.equal(compiled.proxies.check("::1", "ipv6"), true);
  const caller = { kind: "robot", name: "ci", groups: ["developers"] } as const;
  const decide = (repository: string, action: "push" | "delete"): string =>
    decideAccess(compiled.policy, caller, { repository, action }).reason;
  assert.equal(decide("team/app", "push"), 'policy "developers push" allows it');
  assert.equal(decide("team/released", "push"), "policy 2 denies it");
  assert.equal(decide("team/app", "delete"), "no rule allows it");
});

test("JSON is YAML, and nothing at all is a configuration", () => {
  const config: AccessConfig = { realm: "x", lockOut: false };
  assert.deepEqual(parseAccessConfig(JSON.stringify(config), "access.json"), config);
  assert.equal(compileAccessConfig(config).lockOut, undefined);
  assert.equal(compileAccessConfig(parseAccessConfig("", "empty")).realm, "dray");
});

test("the configurations in the guide and in the door's comment are ones", () => {
  const guide = readFileSync(new URL("../../../docs/guides/registry-access.md", import.meta.url), "utf8");
  const source = readFileSync(new URL("config.ts", import.meta.url), "utf8").replaceAll(/^ \* ?/gm, "");
  const blocks = [...`${guide}\n${source}`.matchAll(/^```yaml\n([^]*?)^```/gm)].map(
    (match) => match[1] ?? "",
  );
  assert.equal(blocks.length, 3);
  for (const block of blocks) {
    assert.notDeepEqual(parseAccessConfig(block, "guide"), {});
  }
});

for (const [text, ...faults] of [
  ["a: [", /line 1: /],
  ["- a", /line 1: it is not an object with realm, htpasswd, .* and trustedProxies/],
  ["\nrealms: x", /line 2: realms is not known here; there are realm, /],
  ["realm: 5", /line 1: realm is not a text; put it in quotes/],
  [
    "policies:\n  - actions: [pul]",
    /line 2: policies\[0\]\.repositories is missing or empty/,
    /line 2: policies\[0\]\.actions\[0\] is "pul"; it can be pull, push and delete/,
    /policies\[0\]\.subjects is missing/,
  ],
  [
    "policies:\n- repositories:\n  - a//b\n  actions: [pull]\n  subjects:\n  - anonymous",
    /line 3: policies\[0\]\.repositories\[0\] has an empty part/,
    /line 6: policies\[0\]\.subjects\[0\] is "anonymous"; write everyone, users, user:NAME/,
  ],
  ["policies: {}", /line 1: policies is not a list/],
  ["tokens:\n  lifetime: 10s", /line 2: tokens\.lifetime is too short; it takes 60s at least/],
  ["tokens:\n  refresh: 10", /line 2: tokens\.refresh is not a duration; write 90s, 5m, 12h or 30d/],
  ["tokens: { path: /v2/token }", /tokens\.path is not a path outside \/v2\//],
  ["tokens: { realm: registry }", /tokens\.realm is not a URL; write https:\/\/HOST\/PATH/],
  ["tokens: { algorithm: HS256 }", /tokens\.algorithm is "HS256"; it can be ES256, RS256 and EdDSA/],
  [
    "trusted: [{}]",
    /trusted\[0\]\.issuer is missing/,
    /audience is missing/,
    /jwks is missing/,
    /realm is missing/,
  ],
  ["lockOut: { account: 0 }", /lockOut\.account is not a whole number from 1 up/],
  ["lockOut: true", /lockOut is not an object/],
  [
    "trustedProxies: [10.0.0.0/33]",
    /line 1: trustedProxies\[0\] is no address or network; write 10\.0\.0\.0\/8 or ::1/,
  ],
] as const) {
  test(`a fault is told with its line and how to mend it: ${JSON.stringify(text)}`, () => {
    assert.throws(
      () => parseAccessConfig(text, "access.yaml"),
      (error: RegistryError) => {
        assert.equal(error.code, "CONFIG_INVALID");
        assert.match(error.message, /^Cannot use the access configuration "access\.yaml":/);
        for (const fault of faults) assert.match(error.message, fault);
        return true;
      },
    );
  });
}

test("an object is checked like a file, without lines", () => {
  const config = { policies: [{ repositories: ["*"], actions: ["read"], subjects: ["users"] }] };
  assert.throws(() => compileAccessConfig(config as unknown as AccessConfig), {
    message:
      'Cannot use the access configuration: policies[0].actions[0] is "read"; it can be pull, push and delete',
  });
});
