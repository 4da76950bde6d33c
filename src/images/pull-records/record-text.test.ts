import assert from "node:assert/strict";
import { test } from "node:test";

import { decodeIntent, decodePulledRecord, encodeIntent, encodePulledRecord } from "./record-text.ts";

const HEAD = '"kind":"ImagePulledRecord","apiVersion":"kubelet.config.k8s.io/v1beta1"';

test("texts escape what Go escapes, and names that look like numbers stay sorted as texts", () => {
  assert.match(encodeIntent({ image: "a<b>&\u2028\u007f" }), /"a\\u003cb\\u003e\\u0026\\u2028\u007f"/);
  const credentialMapping = new Map([
    ["b", { nodePodsAccessible: true }],
    ["10", {}],
    ["9", { kubernetesSecrets: [] }],
  ]);
  assert.equal(
    encodePulledRecord({ lastUpdatedTime: 1_999, imageRef: "r", credentialMapping }),
    `{${HEAD},"lastUpdatedTime":"1970-01-01T00:00:01Z","imageRef":"r","credentialMapping":{"10":{},"9":{},"b":{"nodePodsAccessible":true}}}\n`,
  );
});

test("decoding is strict: every member is known, in its own case, once, and of its type", () => {
  for (const [members, why] of [
    ['"imageRef":"a","imageRef":"b"', /strict decoding error: duplicate field "imageRef"/],
    ['"ImageRef":"a"', /unknown field "ImageRef"/],
    ['"credentialMapping":{"a":{"kubernetesSecrets":[{"uid":"u","more":1}]}}', /unknown field ".*more"/],
    ['"credentialMapping":{"a":{},"a":{}}', /duplicate field/],
    ['"credentialMapping":{"a":{"nodePodsAccessible":"yes"}}', /cannot unmarshal string/],
    ['"imageRef":1', /cannot unmarshal number/],
    ['"lastUpdatedTime":"yesterday"', /yesterday/],
    ['"lastUpdatedTime":12', /cannot unmarshal number/],
  ] as const) {
    assert.throws(() => decodePulledRecord(`{${HEAD},${members}}`), {
      code: "RECORD_UNREADABLE",
      message: why,
    });
  }
});

test("decoding wants the right kind in a version that is known", () => {
  const intent = (kind: string, version: string): string =>
    `{"kind":"${kind}","apiVersion":"${version}","image":"a"}`;
  assert.deepEqual(decodeIntent(intent("ImagePullIntent", "kubelet.config.k8s.io/v1alpha1")), {
    value: { image: "a" },
    apiVersion: "kubelet.config.k8s.io/v1alpha1",
  });
  for (const [kind, version] of [
    ["", "kubelet.config.k8s.io/v1beta1"],
    ["ImagePullIntent", "kubelet.config.k8s.io/v1"],
    ["ImagePullIntent", ""],
    ["ImagePulledRecord", "kubelet.config.k8s.io/v1beta1"],
  ] as const) {
    assert.throws(() => decodeIntent(intent(kind, version)), { code: "RECORD_UNREADABLE" });
  }
});

test("a record comes back as it was written, but for parts of a second", () => {
  const record = {
    lastUpdatedTime: Date.parse("2026-11-23T04:09:11Z"),
    imageRef: "sha256:1",
    credentialMapping: new Map([
      ["__proto__", { kubernetesSecrets: [{ uid: "u", namespace: "n", name: "s", credentialHash: "" }] }],
      ["constructor", { kubernetesServiceAccounts: [{ uid: "u", namespace: "n", name: "a" }] }],
    ]),
  };
  assert.deepEqual(decodePulledRecord(encodePulledRecord(record)).value, record);
  const zero = decodePulledRecord(`{${HEAD},"lastUpdatedTime":"0001-01-01T00:00:00Z"}`).value;
  assert.equal(zero.lastUpdatedTime, undefined);
  const east = decodePulledRecord(`{${HEAD},"lastUpdatedTime":"2026-11-23T06:09:11.5+02:00"}`).value;
  assert.equal(east.lastUpdatedTime, record.lastUpdatedTime + 500);
});

test("times are read as Go reads them, which knows the calendar", () => {
  const read = (time: string): number | undefined =>
    decodePulledRecord(`{${HEAD},"lastUpdatedTime":"${time}"}`).value.lastUpdatedTime;
  for (const [time, same] of [
    ["2026-11-23T4:09:11Z", "2026-11-23T04:09:11Z"],
    ["2026-11-23T04:09:11,25Z", "2026-11-23T04:09:11.25Z"],
    ["2026-11-23T04:09:11.999999999Z", "2026-11-23T04:09:11.999Z"],
    ["2026-11-23T00:09:11+24:00", "2026-11-22T00:09:11Z"],
    ["2026-11-23T00:09:11-03:30", "2026-11-23T03:39:11Z"],
    ["2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"],
  ] as const) {
    assert.equal(read(time), Date.parse(same), time);
  }
  for (const time of [
    "2026-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-11-23T24:00:00Z",
    "2026-11-23T04:60:00Z",
    "2026-11-23T04:09:60Z",
    "2026-11-23T04:09:11+25:00",
    "2026-11-23t04:09:11z",
    "2026-11-23 04:09:11Z",
    "2026-11-23",
    "",
  ]) {
    assert.throws(() => read(time), { code: "RECORD_UNREADABLE" }, time);
  }
});
