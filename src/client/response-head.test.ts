import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { openFraming } from "./body-framing.ts";
import { ClientError } from "./errors.ts";
import { bodyKind, parseResponseHead } from "./response-head.ts";

const refused = (error: unknown): boolean =>
  error instanceof ClientError && error.code === "RESPONSE_INVALID";

test("parseResponseHead() keeps every field line under its lower-case name", () => {
  const head = parseResponseHead("HTTP/1.1 206 Partial Content\r\nLink: <a>\r\nlink:  <b> \r\nX-Empty:");
  assert.equal(head.status, 206);
  assert.deepEqual(head.fields.get("link"), ["<a>", "<b>"]);
  assert.deepEqual(head.fields.get("x-empty"), [""]);
});

const persistence: readonly (readonly [string, boolean])[] = [
  ["HTTP/1.1 200 OK", true],
  ["HTTP/1.1 200", true],
  ["HTTP/1.1 200 OK\r\nConnection: Close", false],
  ["HTTP/1.1 200 OK\r\nConnection: x, close", false],
  ["HTTP/1.0 200 OK", false],
  ["HTTP/1.0 200 OK\r\nConnection: Keep-Alive", true],
];

for (const [text, persistent] of persistence) {
  test(`parseResponseHead() says ${persistent} to keeping the connection of ${JSON.stringify(text)}`, () => {
    assert.equal(parseResponseHead(text).persistent, persistent);
  });
}

const malformed = [
  "",
  "HTTP/2 200 OK",
  "HTTP/1.1 20 OK",
  "HTTP/1.1 099 No",
  "ICY 200 OK",
  "HTTP/1.1 200 OK\r\n folded: x",
  "HTTP/1.1 200 OK\r\nname : x",
  "HTTP/1.1 200 OK\r\n: x",
  "HTTP/1.1 200 OK\r\nno colon",
  "HTTP/1.1 200 OK\r\nx: a\u0000b",
  "HTTP/1.1 200 OK\r\nx: a\nb: c",
];

for (const text of malformed) {
  test(`parseResponseHead() refuses ${JSON.stringify(text)}`, () => {
    assert.throws(() => parseResponseHead(text), refused);
  });
}

const kinds: readonly (readonly [string, string, string, unknown])[] = [
  ["GET", "200", "content-length: 5", { kind: "length", length: 5 }],
  ["GET", "200", "content-length: 5\r\ncontent-length: 5", { kind: "length", length: 5 }],
  ["GET", "200", "transfer-encoding: chunked", { kind: "chunked" }],
  ["GET", "200", "x: y", { kind: "close" }],
  ["HEAD", "200", "content-length: 5", { kind: "length", length: 0 }],
  ["GET", "204", "x: y", { kind: "length", length: 0 }],
  ["GET", "304", "content-length: 5", { kind: "length", length: 0 }],
];

for (const [method, status, fields, expected] of kinds) {
  test(`bodyKind() of ${method} ${status} with ${JSON.stringify(fields)}`, () => {
    assert.deepEqual(bodyKind(method, parseResponseHead(`HTTP/1.1 ${status}\r\n${fields}`)), expected);
  });
}

for (const fields of [
  "content-length: 5\r\ncontent-length: 6",
  "content-length: 5, 6",
  "content-length: -5",
  "content-length: 0x5",
  "content-length: 5\r\ntransfer-encoding: chunked",
  "transfer-encoding: gzip, chunked",
  "transfer-encoding: chunked, chunked",
]) {
  test(`bodyKind() refuses ${JSON.stringify(fields)}`, () => {
    assert.throws(() => bodyKind("GET", parseResponseHead(`HTTP/1.1 200\r\n${fields}`)), refused);
  });
}

function readChunked(pieces: readonly Uint8Array[]): { readonly body: Buffer; readonly done: boolean } {
  const framing = openFraming({ kind: "chunked" });
  const parts: Buffer[] = [];
  for (const piece of pieces) {
    for (let at = 0; at < piece.length && !framing.done;) {
      at = framing.take(piece, at);
      parts.push(Buffer.from(piece.subarray(framing.start, framing.end)));
    }
  }
  return { body: Buffer.concat(parts), done: framing.done };
}

test("a chunked body is the same however the connection splits it", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 6 }),
      fc.array(fc.nat(30), { maxLength: 40 }),
      (chunks, cuts) => {
        const wire = Buffer.concat([
          ...chunks.flatMap((chunk) => [
            Buffer.from(`${chunk.length.toString(16)};x=y\r\n`),
            chunk,
            Buffer.from("\r\n"),
          ]),
          Buffer.from("0\r\ntrailer: x\r\n\r\n"),
        ]);
        const pieces: Uint8Array[] = [];
        let at = 0;
        for (const cut of cuts) pieces.push(wire.subarray(at, (at = Math.min(wire.length, at + cut))));
        pieces.push(wire.subarray(at));
        const { body, done } = readChunked(pieces);
        assert.deepEqual(body, Buffer.concat(chunks));
        assert.equal(done, true);
      },
    ),
  );
});

for (const wire of ["x\r\n", "-1\r\n", "5\nhello", "2\r\nhello\r\n", `${"1".repeat(5000)}`]) {
  test(`a chunked body is refused at ${JSON.stringify(wire.slice(0, 20))}`, () => {
    assert.throws(() => readChunked([Buffer.from(wire)]), refused);
  });
}
