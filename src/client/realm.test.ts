import assert from "node:assert/strict";
import { test } from "node:test";
import { realmAllowed } from "./realm.ts";

const TABLE: readonly (readonly [realm: string, registry: string, plainHttp: boolean, allowed: boolean])[] = [
  ["https://auth.test/t", "r.test", false, true],
  ["HTTPS://auth.test/t", "r.test", false, true],
  ["http://auth.test/t", "r.test", false, false],
  ["http://auth.test/t", "r.test", true, true],
  ["ftp://auth.test/t", "r.test", true, false],
  ["https:///t", "r.test", false, false],
  ["https://", "r.test", false, false],
  ["auth.test/t", "r.test", false, false],
  ["https://r.test\\@10.0.0.1/t", "r.test", false, false],
  ["https://127.0.0.1/t", "r.test", false, false],
  ["https://0x7f.1/t", "r.test", false, false],
  ["https://2130706433/t", "r.test", false, false],
  ["https://172.16.0.1/t", "r.test", false, false],
  ["https://172.32.0.1/t", "r.test", false, true],
  ["https://192.168.1.1/t", "r.test", false, false],
  ["https://169.254.1.1/t", "r.test", false, false],
  ["https://224.0.0.1/t", "r.test", false, false],
  ["https://0.0.0.0/t", "r.test", false, false],
  ["https://[::]/t", "r.test", false, false],
  ["https://[::1]/t", "r.test", false, false],
  ["https://[fe80::1]/t", "r.test", false, false],
  ["https://[ff02::1]/t", "r.test", false, false],
  ["https://[fc00::1]/t", "r.test", false, false],
  ["https://[::ffff:10.0.0.1]/t", "r.test", false, false],
  ["https://[2001:db8::1]/t", "r.test", false, true],
  ["https://[::1]:5000/t", "[::1]:5000", false, true],
  ["https://10.0.0.1:443/t", "10.0.0.1", false, true],
  ["https://10.0.0.1/t", "10.0.0.1:443", false, true],
  ["http://127.0.0.1:5000/t", "127.0.0.1:5000", true, true],
  ["https://127.0.0.1:5001/t", "127.0.0.1:5000", true, false],
];

for (const [realm, registry, plainHttp, allowed] of TABLE) {
  test(`${realm} is ${allowed ? "trusted" : "refused"} by ${plainHttp ? "http" : "https"}://${registry}`, () => {
    assert.equal(realmAllowed(realm, { registry, plainHttp }), allowed);
  });
}
