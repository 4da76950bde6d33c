import assert from "node:assert/strict";
import { test } from "node:test";

import { parseReference } from "../reference/index.ts";
import { AdmissionError, parseImagePattern } from "./image-pattern.ts";

const CASES: readonly (readonly [pattern: string, matching: string, others: string])[] = [
  ["*", "nginx ghcr.io/a/b", ""],
  ["docker.io", "nginx team/app", "ghcr.io/a localhost/docker.io"],
  ["docker.io/library/*", "nginx", "team/app docker.io/library/a/b"],
  ["docker.io/library/nginx", "nginx nginx:1", "nginxinc nginx/unit"],
  ["docker.io/library/nginx*", "nginx nginx-unprivileged", "docker.io/library/nginx/unit"],
  ["ghcr.io/team/**", "ghcr.io/team/a ghcr.io/team/a/b", "ghcr.io/team ghcr.io/teams/a"],
  ["ghcr.io/*/app", "ghcr.io/a/app", "ghcr.io/a/b/app ghcr.io/app"],
  ["*.example.com", "eu.example.com/a", "example.com/a a.b.example.com/a eu.example.com.evil.io/a"],
  ["registry.example.com:5000", "registry.example.com:5000/a", "registry.example.com/a"],
  ["registry.example.com", "registry.example.com/a", "registry-example.com/a registry.example.com:5000/a"],
  ["localhost:*", "localhost:5000/a", "localhost/a"],
];

for (const [pattern, matching, others] of CASES) {
  test(`${pattern} matches ${matching}${others === "" ? "" : `, but not ${others}`}`, () => {
    const parsed = parseImagePattern(pattern);
    for (const image of words(matching)) assert.ok(parsed.matches(parseReference(image)), image);
    for (const image of words(others)) assert.ok(!parsed.matches(parseReference(image)), image);
  });
}

for (const text of [
  "",
  "nginx",
  "library/nginx",
  "ghcr.io/Team",
  "ghcr.io/a/**/b",
  "ghcr.io/",
  "ghcr.io/a b",
]) {
  test(`${JSON.stringify(text)} is no pattern`, () => {
    assert.throws(() => parseImagePattern(text), AdmissionError);
  });
}

function words(text: string): readonly string[] {
  return text.split(" ").filter((word) => word !== "");
}
