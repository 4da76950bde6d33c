import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeResponse } from "../../test/fake-token-service.ts";
import { formatRateLimit, parseRateLimit } from "./rate-limit.ts";

function shown(headers: Record<string, string>): string | undefined {
  const limit = parseRateLimit(fakeResponse("https://r.test/", { status: 429, headers }));
  return limit && formatRateLimit(limit);
}

test("the Hub's limit headers become words", () => {
  const headers = {
    "ratelimit-limit": "100;w=21600",
    "ratelimit-remaining": "0;w=21600",
    "docker-ratelimit-source": "192.0.2.1",
  };
  assert.equal(shown(headers), "0 of 100 pulls left in 6 h, counted for 192.0.2.1");
  assert.equal(shown({ "ratelimit-limit": "100;w=90" }), "limit of 100 pulls in 90 s");
  assert.equal(shown({ "ratelimit-remaining": " 7 ; x=1; w=120" }), "7 pulls left in 2 min");
});

test("headers that say something else are no limit", () => {
  assert.equal(shown({}), undefined);
  assert.equal(shown({ "ratelimit-limit": "lots" }), undefined);
  assert.equal(shown({ "ratelimit-limit": `1${"; ".repeat(5000)}` }), "limit of 1 pulls");
});
