import assert from "node:assert/strict";
import { test } from "node:test";
import { sanitizeUrl } from "./sanitize-url.ts";

const BASE = "https://registry.example.test/path/v2";
const TABLE: readonly (readonly [url: string, shown: string])[] = [
  [BASE, BASE],
  [`${BASE}?zzz=123&aaa=456&aaa=789`, `${BASE}?aaa=REDACTED&aaa=REDACTED&zzz=REDACTED`],
  [`${BASE}?aaa=123&ns=docker.io`, `${BASE}?aaa=REDACTED&ns=docker.io`],
  [`${BASE}?aaa=&bbb=&bbb`, `${BASE}?aaa=&bbb=&bbb=`],
  [`${BASE}#?zzz=123`, `${BASE}#?zzz=123`],
  ["https://user:pass@registry.example.test/path/v2", "https://user:xxxxx@registry.example.test/path/v2"],
  ["https://user@registry.example.test/", "https://user@registry.example.test/"],
  ["://registry.example.test/path/v2?zzz=123", "://registry.example.test/path/v2?zzz=123"],
  ["", ""],
];

for (const [url, shown] of TABLE) {
  test(`sanitizeUrl() shows ${JSON.stringify(url)} as ${shown}`, () => assert.equal(sanitizeUrl(url), shown));
}
