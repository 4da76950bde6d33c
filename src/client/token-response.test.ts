import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTokenResponse, type Token } from "./token-response.ts";

const NOW = Date.parse("2024-01-01T00:10:00Z");

function parse(document: unknown): Token {
  const text = typeof document === "string" ? document : JSON.stringify(document);
  return parseTokenResponse(new TextEncoder().encode(text), { now: NOW, realm: "https://a.test/t" });
}

test("access_token comes before token", () => {
  assert.equal(parse({ token: "a", access_token: "b" }).value.reveal(), "b");
  assert.equal(parse({ token: "a", access_token: "" }).value.reveal(), "a");
  assert.equal(parse({ token: "a", refresh_token: "r" }).refreshToken?.reveal(), "r");
});

const LIVES: readonly (readonly [members: object, seconds: number])[] = [
  [{}, 54],
  [{ expires_in: 300 }, 270],
  [{ expires_in: "300" }, 270],
  [{ expires_in: 0 }, 54],
  [{ expires_in: -5 }, 54],
  [{ expires_in: 300, issued_at: "2024-01-01T00:09:00Z" }, 210],
  [{ expires_in: 300, issued_at: "2024-01-01T00:00:00Z" }, 270],
  [{ expires_in: 300, issued_at: "2024-01-01T05:00:00Z" }, 270],
  [{ expires_in: 300, issued_at: "yesterday" }, 270],
];

for (const [members, seconds] of LIVES) {
  test(`${JSON.stringify(members)} is good for ${seconds} s`, () => {
    assert.equal(parse({ token: "t", ...members }).refreshAt, NOW + seconds * 1000);
  });
}

for (const document of [
  "",
  "<html>",
  "null",
  "[]",
  "{}",
  { token: 1 },
  { token: "a\r\nX: y" },
  { token: "a b" },
]) {
  test(`${JSON.stringify(document)} holds no usable token, and isn't quoted`, () => {
    assert.throws(() => parse(document), {
      code: "TOKEN_FAILED",
      message: /^Cannot get a token from "https:\/\/a.test\/t": its (answer|token) [\w ]+$/,
    });
  });
}
