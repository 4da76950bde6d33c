import assert from "node:assert/strict";
import { test } from "node:test";

import { gcPolicyOf, pullLimits, verificationPolicyOf } from "./apply-image-config.ts";
import { defaultImageConfig } from "./image-config.ts";
import { parseKubeletConfig } from "./parse-kubelet-config.ts";
import { checkImageConfig, findConfigFaults } from "./validate-image-config.ts";

const HEAD = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n";

test("a kubelet's file sets what it names, and everything else keeps the kubelet's default", () => {
  const { given, gates } = parseKubeletConfig(`${HEAD}
address: 0.0.0.0
maxParallelImagePulls: 4
imageMaximumGCAge: 336h
registryPullQPS: 0
imagePullCredentialsVerificationPolicy: NeverVerifyAllowlistedImages
preloadedImagesVerificationAllowlist: [registry.example/base/*]
nodeStatusMaxImages: null
`);
  const config = checkImageConfig(defaultImageConfig(given, gates), gates);
  assert.deepEqual(pullLimits(config), { maxParallelPulls: 4, rate: { qps: 0, burst: 10 } });
  assert.deepEqual(gcPolicyOf(config), {
    highThresholdPercent: 85,
    lowThresholdPercent: 80,
    minAge: 120_000,
    maxAge: 336 * 3_600_000,
  });
  assert.equal(config.nodeStatusMaxImages, 50);
  assert.equal(verificationPolicyOf(config).judge("registry.example/base/os:1", true).required, false);
  const plain = defaultImageConfig(parseKubeletConfig(HEAD).given);
  assert.deepEqual(pullLimits(plain), { maxParallelPulls: 1, rate: { qps: 5, burst: 10 } });
  const free = defaultImageConfig({ serializeImagePulls: false });
  assert.equal(pullLimits(free).maxParallelPulls, Number.POSITIVE_INFINITY);
  assert.equal(pullLimits({ ...free, maxParallelImagePulls: 0 }).maxParallelPulls, Number.POSITIVE_INFINITY);
});

test("the gate in the file decides which fields may stand beside it", () => {
  const { given, gates } = parseKubeletConfig(`${HEAD}
featureGates: { KubeletEnsureSecretPulledImages: false }
preloadedImagesVerificationAllowlist: [a]
`);
  const rule = "must not be set if KubeletEnsureSecretPulledImages feature gate is not enabled";
  assert.deepEqual(findConfigFaults(defaultImageConfig(given, gates), gates), [
    `invalid configuration: \`preloadedImagesVerificationAllowlist\` ${rule}`,
  ]);
});

test("all faults are told at once", () => {
  const config = defaultImageConfig({ registryBurst: -1, nodeStatusMaxImages: -2 });
  assert.throws(() => checkImageConfig(config), {
    code: "CONFIGURATION_INVALID",
    message:
      "[invalid configuration: nodeStatusMaxImages (--node-status-max-images) -2 must be -1 or greater, invalid configuration: registryBurst (--registry-burst) -1 must not be a negative number]",
  });
});

test("files of another kind, and fields of another type, are refused with what is wrong", () => {
  for (const [text, why] of [
    ["kind: Pod\napiVersion: v1", /it is a "Pod" of "v1"/],
    ["- a", /the document is no object/],
    ["a: [", /not valid YAML/],
    [`${HEAD}serializeImagePulls: "no"`, /serializeImagePulls is "no", which is not true or false/],
    [`${HEAD}registryBurst: 1.5`, /registryBurst is 1.5, which is not a whole number/],
    [`${HEAD}imageMinimumGCAge: 10`, /imageMinimumGCAge is 10, which is not a text/],
    [`${HEAD}imageMinimumGCAge: "10"`, /imageMinimumGCAge: time: missing unit in duration "10"/],
    [`${HEAD}preloadedImagesVerificationAllowlist: [1]`, /which is not a list of texts/],
  ] as const) {
    assert.throws(() => parseKubeletConfig(text), { code: "CONFIGURATION_INVALID", message: why });
  }
});
