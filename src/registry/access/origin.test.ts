import assert from "node:assert/strict";
import type { BlockList } from "node:net";
import { test } from "node:test";

import type { RegistryRequest } from "../request.ts";
import { parseAuthorization } from "./authorization.ts";
import { formatBearerChallenge } from "./challenge.ts";
import { addressOf, originOf, parseNetworks } from "./origin.ts";

function requestOf(
  headers: Readonly<Record<string, string>>,
  rest: Partial<RegistryRequest> = {},
): RegistryRequest {
  const body = { length: 0, pump: async () => {} };
  return { method: "GET", target: "/v2/", body, header: (name) => headers[name], ...rest };
}

const PROXIES = parseNetworks(["10.0.0.0/8", "fd00::/8"]) as BlockList;

for (const [address, forwarded, expected] of [
  ["192.0.2.1", "198.51.100.7", "192.0.2.1"],
  ["10.0.0.1", "198.51.100.7", "198.51.100.7"],
  ["10.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"],
  ["10.0.0.1", "203.0.113.9, 198.51.100.7, 10.9.9.9", "198.51.100.7"],
  ["::ffff:10.0.0.1", "198.51.100.7:4711", "198.51.100.7"],
  ["10.0.0.1", "not an address", "10.0.0.1"],
  ["10.0.0.1", "203.0.113.9, unknown", "10.0.0.1"],
  ["10.0.0.1", undefined, "10.0.0.1"],
  ["fd00::1", "[2001:db8:1:2:3:4:5:6]:80", "2001:db8:1:2::/64"],
  ["2001:db8::1", undefined, "2001:db8:0:0::/64"],
  ["2001:0DB8:0:0:ffff::9", undefined, "2001:db8:0:0::/64"],
  [undefined, "198.51.100.7", "unknown"],
] as const) {
  test(`a request from ${address}, forwarded for ${forwarded}, counts as from ${expected}`, () => {
    const headers = forwarded === undefined ? {} : { "x-forwarded-for": forwarded };
    assert.equal(addressOf(requestOf(headers, { address }), PROXIES), expected);
  });
}

test("networks that are none are told", () => {
  for (const bad of ["10.0.0.0/33", "x", "10.0.0.0/8/8", "::1/129", "10.0.0.0/"]) {
    assert.deepEqual((parseNetworks(["::1", bad]) as { at: number }).at, 1, bad);
  }
});

for (const [headers, secure, expected] of [
  [{ host: "a.example:5000" }, false, "http://a.example:5000"],
  [{ host: "a.example" }, true, "https://a.example"],
  [{ host: "a", "x-forwarded-proto": "https" }, false, "https://a"],
  [{ host: "a", "x-forwarded-proto": "https, http", "x-forwarded-host": "b, c" }, false, "https://b"],
  [{ host: "a", forwarded: 'for=1.2.3.4;proto=https;host="b:443", proto=http' }, false, "https://b:443"],
  [{ host: "a", forwarded: "proto=https", "x-forwarded-host": "b" }, false, "https://b"],
  [{ host: "[::1]:5000" }, false, "http://[::1]:5000"],
  [{ host: 'evil"/' }, false, "http://fallback"],
  [{}, false, "http://fallback"],
] as const) {
  test(`a request with ${JSON.stringify(headers)} calls us ${expected}`, () => {
    assert.equal(originOf(requestOf(headers, { secure }), "fallback"), expected);
  });
}

test("parseAuthorization() takes what clients send, and empty credentials for none", () => {
  const basicOf = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;
  assert.equal(parseAuthorization(undefined).scheme, "none");
  assert.equal(parseAuthorization(basicOf(":")).scheme, "none");
  assert.equal(parseAuthorization(basicOf("nocolon")).scheme, "unusable");
  assert.equal(parseAuthorization("Basic !!!").scheme, "unusable");
  assert.equal(parseAuthorization("Digest x").scheme, "unusable");
  assert.equal(parseAuthorization("").scheme, "unusable");
  assert.equal(parseAuthorization("Bearer").scheme, "unusable");
  const basic = parseAuthorization(`basic  ${Buffer.from("ü:a:b").toString("base64")}`);
  assert.ok(basic.scheme === "basic");
  assert.deepEqual([basic.login, basic.password.reveal()], ["ü", "a:b"]);
  const bearer = parseAuthorization("bearer abc.def");
  assert.ok(bearer.scheme === "bearer");
  assert.equal(bearer.token.reveal(), "abc.def");
  assert.equal(JSON.stringify([basic, bearer]).includes("abc"), false);
});

test("a challenge's values can't leave their quotes", () => {
  const challenge = { realm: 'https://a/"x', service: "a\\b\r\nc", scope: "" };
  assert.equal(formatBearerChallenge(challenge), 'Bearer realm="https://a/\\"x",service="a\\\\b??c"');
});
