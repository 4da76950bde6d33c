import assert from "node:assert/strict";
import { test } from "node:test";

import { matchRoute } from "../../oci/index.ts";
import { compileMirrorConfig, type UpstreamConfig } from "./config.ts";
import { MirrorPlaces } from "./place.ts";
import type { Upstream } from "./upstream.ts";

function find(upstreams: readonly UpstreamConfig[], name: string, ns: string | null = null): unknown {
  const compiled = compileMirrorConfig({ upstreams, local: ["registry.example.com"] });
  const nobody = {} as Upstream;
  const places = new MirrorPlaces(
    compiled.upstreams.map((settings) => ({ settings, upstream: nobody })),
    compiled,
  );
  const match = matchRoute(`/v2/${name}/tags/list`);
  if (match === undefined || !("name" in match)) assert.fail();
  const placed = places.find(match, ns);
  if (placed?.kind === "refused") return placed.reason;
  return placed && `${placed.place.settings.registry} ${placed.place.remote} ${placed.place.local}`;
}

const TWO: readonly UpstreamConfig[] = [
  { registry: "docker.io", prefix: "hub" },
  { registry: "ghcr.io", prefix: "hub/github", repositories: { deny: ["secret/**"] } },
];

for (const [name, ns, expected] of [
  ["hub/library/nginx", null, "docker.io library/nginx hub/library/nginx"],
  ["hub/nginx", null, "docker.io library/nginx hub/library/nginx"],
  ["hub/github/team/app", null, "ghcr.io team/app hub/github/team/app"],
  ["hub", null, undefined],
  ["hubs/app", null, undefined],
  ["app", "registry.example.com", undefined],
  ["library/nginx", "docker.io", "docker.io library/nginx hub/library/nginx"],
  ["library/nginx", "registry-1.docker.io", "docker.io library/nginx hub/library/nginx"],
  ["hub/x", "ghcr.io", "ghcr.io hub/x hub/github/hub/x"],
  ["secret/x", "ghcr.io", 'Repository "ghcr.io/secret/x" is not mirrored here'],
  ["library/nginx", "quay.io", 'Registry "quay.io" is not mirrored here'],
  ["library/nginx", "", 'Registry "" is not mirrored here'],
  [`hub/${"a/".repeat(124)}a`, "docker.io", /too long here$/],
] as const) {
  test(`${name} of ${ns ?? "nobody in particular"} is ${String(expected)}`, () => {
    const found = find(TWO, name, ns);
    if (expected instanceof RegExp) assert.match(String(found), expected);
    else assert.equal(found, expected);
  });
}

test("an empty prefix takes what no other one does", () => {
  const all = [...TWO, { registry: "quay.io", prefix: "" }];
  assert.equal(find(all, "team/app"), "quay.io team/app team/app");
  assert.equal(find(all, "hub/team/app"), "docker.io team/app hub/team/app");
  assert.equal(find(all, "team/app", "quay.io"), "quay.io team/app team/app");
});
