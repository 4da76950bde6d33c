import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeResponse } from "../../test/fake-token-service.ts";
import { describeErrorBody, readErrorBody } from "./error-body.ts";
import { ClientError } from "./errors.ts";

async function described(body: string | object, limit?: number): Promise<string> {
  const response = fakeResponse("https://r.test/", { status: 500, body });
  return describeErrorBody(await readErrorBody(response, limit));
}

test("a registry's errors are told with their codes", async () => {
  const errors = [{ code: "DENIED", message: "go away" }, { code: "OTHER" }];
  assert.equal(await described({ errors }), "DENIED: go away; OTHER");
});

test("what isn't JSON is told as far as it helps", async () => {
  assert.equal(await described(""), "");
  assert.equal(await described("upstream timed out\nmore"), "upstream timed out");
  assert.equal(await described(" <!DOCTYPE html><p>x"), "an HTML page");
  assert.equal(await described("a\u001b[31mb"), "a [31mb");
  assert.equal((await described("x".repeat(5000))).length, 201);
});

test("a body is read up to the limit, and a cut one as far as it came", async () => {
  const long = fakeResponse("https://r.test/", { status: 500, body: "y".repeat(100_000) });
  assert.equal((await readErrorBody(long, 1500)).text.length, 1500);
  const cut = await readErrorBody({
    pump: async (consume) => {
      await consume(new TextEncoder().encode("so far"));
      throw new ClientError("NETWORK_RESET", "cut");
    },
  });
  assert.equal(cut.text, "so far");
});
