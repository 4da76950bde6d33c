import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import { digestOf } from "./digest.ts";
import { OciError } from "./errors.ts";
import { hostPlatform } from "./host-platform.ts";
import { allPlatforms, compatiblePlatforms, hostPlatformMatcher, onlyPlatform } from "./match-platform.ts";
import { MEDIA_TYPES } from "./media-types.ts";
import { parsePlatform } from "./parse-platform.ts";
import { formatFullPlatform, formatPlatform, type Platform } from "./platform.ts";
import { listPlatforms, selectPlatform } from "./select-platform.ts";

const LINUX: Platform = { os: "linux", architecture: "amd64" };

test("parsePlatform() completes a lone word with the host's other half, if it knows the host", () => {
  const host: Platform = { os: "darwin", architecture: "arm", variant: "v6" };
  assert.deepEqual(parsePlatform("linux", { host }), { os: "linux", architecture: "arm", variant: "v6" });
  assert.deepEqual(parsePlatform("amd64", { host }), { os: "darwin", architecture: "amd64" });
  assert.throws(() => parsePlatform("linux"), { code: "PLATFORM_INVALID", message: /both are needed/ });
  const usual: Platform = { ...host, variant: "v7" };
  assert.deepEqual(parsePlatform("linux", { host: usual }), { os: "linux", architecture: "arm" });
});

test("parsePlatform() reads what formatFullPlatform() writes, and throws only its own error", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...Array.from("aL6v8.(+%2)/_-* ")) }), (text) => {
      let platform: Platform;
      try {
        platform = parsePlatform(text, { host: LINUX });
      } catch (error) {
        assert.ok(error instanceof OciError);
        return;
      }
      const again = parsePlatform(formatFullPlatform(platform), { host: LINUX });
      assert.equal(formatFullPlatform(again), formatFullPlatform(platform));
    }),
    { numRuns: 3000 },
  );
});

test("an invented variant neither fills the memory nor matches less than itself", () => {
  const invented: Platform = { ...LINUX, variant: "v999999999" };
  assert.ok(compatiblePlatforms(invented).length < 200);
  assert.ok(onlyPlatform(invented).matches(invented));
  assert.ok(onlyPlatform(invented).matches(LINUX));
});

test("hostPlatform() translates Node's words", () => {
  const cases: readonly (readonly [Parameters<typeof hostPlatform>[0], string])[] = [
    [{ platform: "linux", arch: "x64" }, "linux/amd64"],
    [{ platform: "win32", arch: "x64", release: "10.0.20348" }, "windows(10.0.20348)/amd64"],
    [{ platform: "linux", arch: "ppc64", endianness: "LE" }, "linux/ppc64le"],
    [{ platform: "linux", arch: "arm64", cpuInfo: "CPU architecture: 8\n" }, "linux/arm64/v8"],
    [{ platform: "linux", arch: "arm64", machine: "aarch64" }, "linux/arm64/v8"],
    [{ platform: "linux", arch: "arm", cpuInfo: "cpu Architecture\t: 7\nmodel name: ARMv7" }, "linux/arm/v7"],
    [
      { platform: "linux", arch: "arm", cpuInfo: "model name: ARMv6-compatible\nCPU architecture: 7" },
      "linux/arm/v6",
    ],
    [{ platform: "linux", arch: "arm", cpuInfo: "CPU architecture: ?(14)" }, "linux/arm/v7"],
    [{ platform: "linux", arch: "arm", machine: "armv5tejl" }, "linux/arm/v5"],
    [{ platform: "linux", arch: "arm", machine: "riscv" }, "linux/arm"],
  ];
  for (const [facts, expected] of cases) assert.equal(formatFullPlatform(hostPlatform(facts)), expected);
});

test("a Windows host takes the highest version it can run", () => {
  const host: Platform = { os: "windows", architecture: "amd64", "os.version": "10.0.26100.1" };
  const manifests = ["10.0.20348.5", "10.0.26100.2", "10.0.27000.1"].map((version) =>
    entry({ ...host, "os.version": version }),
  );
  const { candidates } = selectPlatform({ manifests }, hostPlatformMatcher(host));
  assert.deepEqual(
    candidates.map(({ position }) => position),
    [1, 0],
  );
});

test("selectPlatform() gives a reason for every entry", () => {
  const manifests = [
    entry({ os: "linux", architecture: "386" }),
    entry(undefined),
    entry({ os: "unknown", architecture: "unknown" }),
    entry({ os: "linux", architecture: "s390x" }),
    { ...entry(LINUX), mediaType: "application/vnd.example" },
    entry(LINUX),
    entry({ ...LINUX, variant: "v1" }),
  ];
  const { candidates, entries } = selectPlatform({ manifests }, onlyPlatform(LINUX));
  assert.deepEqual(
    entries.map(({ verdict }) => verdict),
    ["MATCHES", "PLATFORM_UNSTATED", "ATTESTATION", "OTHER_PLATFORM", "NOT_AN_IMAGE", "MATCHES", "MATCHES"],
  );
  assert.deepEqual(
    candidates.map(({ position }) => position),
    [5, 6, 0, 1],
  );
  assert.deepEqual(listPlatforms({ manifests }), [
    "linux/386",
    "linux/s390x",
    "linux/amd64",
    "linux/amd64/v1",
  ]);
});

test("attestations are chosen by nobody, not even by who takes everything", () => {
  const manifests = [entry({ os: "unknown", architecture: "unknown" }), entry(LINUX)];
  assert.equal(selectPlatform({ manifests }, allPlatforms).candidates[0]?.position, 1);
});

test("formatPlatform() leaves out what is empty", () => {
  assert.equal(formatPlatform({ os: "", architecture: "amd64" }), "unknown");
  assert.equal(formatPlatform({ os: "linux", architecture: "" }), "linux");
});

function entry(platform: Platform | undefined): Parameters<typeof selectPlatform>[0]["manifests"][number] {
  return { mediaType: MEDIA_TYPES.ociManifest, digest: digestOf(""), size: 0, ...(platform && { platform }) };
}
