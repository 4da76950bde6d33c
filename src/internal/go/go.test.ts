import assert from "node:assert/strict";
import { describe, test } from "node:test";

import fc from "fast-check";

import { decodeBase64 } from "./base64.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import {
  decodeJson,
  decodeStrict,
  goBool,
  goMap,
  goPointer,
  goSlice,
  goString,
  goStruct,
} from "./json-decode.ts";
import { encodeJson, encodeJsonString } from "./json-encode.ts";
import { parseJson } from "./json-parse.ts";
import { matchPattern } from "./match.ts";
import { goQuote } from "./quote.ts";
import { parseUrl, splitHostPort } from "./url.ts";
import { compareBytes, decodeBytes, decodeReplacing } from "./utf8.ts";

function messageOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return (error as Error).message;
  }
  return "nothing was thrown";
}

describe("parseJson()", () => {
  for (const [text, message] of [
    ["", "unexpected end of JSON input"],
    ["{", "unexpected end of JSON input"],
    ['{"a"', "unexpected end of JSON input"],
    ['{"a":1', "unexpected end of JSON input"],
    ['"ab', "unexpected end of JSON input"],
    ["}", "invalid character '}' looking for beginning of value"],
    ["'a'", "invalid character '\\'' looking for beginning of value"],
    ["{a:1}", "invalid character 'a' looking for beginning of object key string"],
    ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
    ['{"a" 1}', "invalid character '1' after object key"],
    ['{"a":1 "b"}', "invalid character '\"' after object key:value pair"],
    ["[1 2]", "invalid character '2' after array element"],
    ["[1,]", "invalid character ']' looking for beginning of value"],
    ["{} x", "invalid character 'x' after top-level value"],
    ["-", "invalid character ' ' in numeric literal"],
    ["01", "invalid character '1' after top-level value"],
    ["1.x", "invalid character 'x' after decimal point in numeric literal"],
    ["1e+", "invalid character ' ' in exponent of numeric literal"],
    ["nul", "invalid character ' ' in literal null (expecting 'l')"],
    ["trve", "invalid character 'v' in literal true (expecting 'u')"],
    ['"\n"', "invalid character '\\n' in string literal"],
    ['"\\x"', "invalid character 'x' in string escape code"],
    ['"\\u00g0"', "invalid character 'g' in \\u hexadecimal character escape"],
    ["\u00e4", "invalid character '\u00c3' looking for beginning of value"],
    ["[".repeat(1001), "exceeded max depth"],
  ] as const) {
    test(`refuses ${text.slice(0, 20) || "nothing"} in Go's words`, () => {
      assert.equal(
        messageOf(() => parseJson(text)),
        message,
      );
    });
  }

  test("quotes a byte as the API machinery does, or a character as Go's own package", () => {
    const mark = Buffer.from([0xef, 0xbb, 0xbf]);
    for (const [bytes, byte, rune] of [
      [mark, "\u00ef", "\\ufeff"],
      [Buffer.from("\u00e4"), "\u00c3", "\u00e4"],
      [Buffer.from("\u{1f600}"), "\u00f0", "\u{1f600}"],
      [Buffer.from([0xff]), "\u00ff", "\\xff"],
    ] as const) {
      const expected = (quoted: string): string =>
        `invalid character '${quoted}' looking for beginning of value`;
      assert.equal(
        messageOf(() => parseJson(bytes)),
        expected(byte),
      );
      assert.equal(
        messageOf(() => parseJson(bytes, "rune")),
        expected(rune),
      );
    }
  });

  test("reads what JSON.parse reads", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        assert.deepEqual(plain(parseJson(text)), JSON.parse(text));
      }),
    );
  });

  test("puts U+FFFD where no character can be", () => {
    assert.deepEqual(parseJson(Buffer.from([0x22, 0xff, 0xe2, 0x82, 0x22])), {
      kind: "string",
      value: "\ufffd\ufffd\ufffd",
    });
    assert.deepEqual(parseJson('"\\ud83d\\ude00\\ud83d"'), { kind: "string", value: "\u{1f600}\ufffd" });
  });
});

function plain(node: ReturnType<typeof parseJson>): unknown {
  switch (node.kind) {
    case "null":
      return null;
    case "number":
      return Number(node.text);
    case "array":
      return node.items.map(plain);
    case "object":
      return Object.fromEntries(node.members.map(([name, value]) => [name, plain(value)]));
    case "bool":
    case "string":
      return node.value;
  }
}

const Inner = goStruct("Inner", { on: goPointer(goBool), name: goString });
const Outer = goStruct("Outer", {
  items: goSlice("[]x.Inner", Inner),
  map: goMap("map[string]string", goString),
});

describe("decodeJson()", () => {
  test("matches names in any case, skips unknown ones, and lets later duplicates win", () => {
    const value = decodeJson('{"ITEMS":[{"name":"a","NAME":"b","x":1,"name":null}],"\u0130tems":1}', Outer);
    assert.deepEqual(value, { items: [{ on: undefined, name: "b" }], map: undefined });
  });

  test("goes on with a map that stands there twice, unless null came between", () => {
    assert.deepEqual([...(decodeJson('{"map":{"a":"1"},"Map":{"b":"2"}}', Outer).map ?? [])].flat(), [
      "a",
      "1",
      "b",
      "2",
    ]);
    assert.equal(decodeJson('{"map":{"a":"1"},"map":null}', Outer).map, undefined);
  });

  test("names the innermost struct and the whole path of the first wrong type", () => {
    const text = '{"items":[{"name":1,"on":"x"}],"map":[]}';
    const message = "json: cannot unmarshal number into Go struct field Inner.items.name of type string";
    assert.equal(
      messageOf(() => decodeJson(text, Outer)),
      message,
    );
    assert.equal(
      messageOf(() => decodeJson("[]", Outer)),
      "json: cannot unmarshal array into Go value of type Outer",
    );
  });

  test("keeps members named like those of every object apart", () => {
    const value = decodeJson('{"map":{"__proto__":"x","constructor":"y"},"__proto__":{"items":1}}', Outer);
    assert.deepEqual([...(value.map?.keys() ?? [])], ["__proto__", "constructor"]);
  });
});

test("decodeStrict() reports unknown and duplicate members with their path, each once", () => {
  const text = '{"items":[{"name":"a","Name":"b","name":"c"},{"x":1,"x":2}],"map":{"k":"1","k":"2"},"y":0}';
  assert.deepEqual(decodeStrict(parseJson(text), Outer).strictErrors, [
    'unknown field "items[0].Name"',
    'duplicate field "items[0].name"',
    'unknown field "items[1].x"',
    'duplicate field "map.k"',
    'unknown field "y"',
  ]);
});

test("encodeJson() sorts maps, keeps the order of members, and is safe in HTML", () => {
  const map = new Map([
    ["\u{1f600}", "1"],
    ["\uffff", "2"],
    ["a", "<&>"],
  ]);
  assert.equal(
    encodeJson({ b: [1, true, null], a: undefined, map }),
    '{"b":[1,true,null],"map":{"a":"\\u003c\\u0026\\u003e","\uffff":"2","\u{1f600}":"1"}}',
  );
  assert.equal(
    encodeJsonString('/"\\\b\u0001\u007f\u0085\u2028\ufffd\udcff'),
    '"/\\"\\\\\\b\\u0001\u007f\u0085\\u2028\ufffd\\ufffd"',
  );
});

test("decodeBytes() and decodeReplacing() agree but for what isn't UTF-8", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const text = decodeBytes(bytes);
      assert.equal(text.toWellFormed(), decodeReplacing(bytes));
      const back = Buffer.concat(
        Array.from(text, (c) =>
          /^[\udc80-\udcff]$/.test(c) ? Buffer.from([c.charCodeAt(0) & 0xff]) : Buffer.from(c),
        ),
      );
      assert.deepEqual(back, Buffer.from(bytes));
    }),
  );
  assert.equal(decodeBytes(Uint8Array.of(0xed, 0xa0, 0x80)), "\udced\udca0\udc80");
});

test("compareBytes() orders as the UTF-8 bytes do", () => {
  const texts = fc.string({ unit: "binary" });
  fc.assert(
    fc.property(texts, texts, (a, b) => {
      assert.equal(Math.sign(compareBytes(a, b)), Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
  );
});

describe("decodeBase64()", () => {
  test("is the inverse of encoding, padded or not, over line breaks", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.nat(40), (bytes, at) => {
        const encoded = Buffer.from(bytes).toString("base64");
        const broken = `${encoded.slice(0, at)}\r\n${encoded.slice(at)}\n`;
        assert.deepEqual(decodeBase64(broken, { padded: true }), Buffer.from(bytes));
        assert.deepEqual(decodeBase64(broken.replaceAll("=", ""), { padded: false }), Buffer.from(bytes));
      }),
    );
  });

  for (const [text, padded, at] of [
    ["!!!not-base64!!!", false, 0],
    ["pants", false, 4],
    ["Zm9vOmJhcg== ", true, 12],
    [" Zm9vOmJhcg==", true, 0],
    ["Zm9vOmJhc-8_", false, 9],
    ["Zm9vOmJhcg=", true, 11],
    ["Zm9=Omj=", true, 4],
    ["Z===", true, 1],
    ["Zg=x", true, 2],
    ["Zg==", false, 2],
    ["Zg", true, 0],
    ["=", true, 0],
    ["\u00e4", false, 0],
  ] as const) {
    test(`refuses ${text} at byte ${at}`, () => {
      assert.equal(
        messageOf(() => decodeBase64(text, { padded })),
        `illegal base64 data at input byte ${at}`,
      );
    });
  }
});

describe("durations", () => {
  for (const [text, formatted] of [
    ["10m", "10m0s"],
    ["1h30m", "1h30m0s"],
    ["0", "0s"],
    ["-1ns", "-1ns"],
    ["1.5s", "1.5s"],
    [".5m", "30s"],
    ["1500us", "1.5ms"],
    ["1.5\u00b5s", "1.5\u00b5s"],
    ["100h0.000000001s", "100h0m0.000000001s"],
    ["9223372036854775807ns", "2562047h47m16.854775807s"],
    ["-9223372036854775808ns", "-2562047h47m16.854775808s"],
  ] as const) {
    test(`${text} is ${formatted}`, () => assert.equal(formatDuration(parseDuration(text)), formatted));
  }

  for (const [text, message] of [
    ["10", 'time: missing unit in duration "10"'],
    ["", 'time: invalid duration ""'],
    ["-", 'time: invalid duration "-"'],
    ["x", 'time: invalid duration "x"'],
    [".s", 'time: invalid duration ".s"'],
    ["1d", 'time: unknown unit "d" in duration "1d"'],
    ["1constructor", 'time: unknown unit "constructor" in duration "1constructor"'],
    ["9223372036854775808ns", 'time: invalid duration "9223372036854775808ns"'],
    ['1"\u00e4', 'time: unknown unit "\\"\\xc3\\xa4" in duration "1\\"\\xc3\\xa4"'],
  ] as const) {
    test(`${text || "nothing"} is refused`, () =>
      assert.equal(
        messageOf(() => parseDuration(text)),
        message,
      ));
  }
});

test("goQuote() escapes what can't be printed", () => {
  assert.equal(
    goQuote('a"\\\n\u0000\u007f\u00a0\u00e4\u200b\u{e0001}'),
    '"a\\"\\\\\\n\\x00\\x7f\\u00a0\u00e4\\u200b\\U000e0001"',
  );
});

describe("matchPattern()", () => {
  for (const [pattern, name, matched] of [
    ["*", "", true],
    ["*", "a/b", false],
    ["a*", "abc", true],
    ["*c", "abc", true],
    ["a*b?c*x", "abxbbxdbxebxczzx", true],
    ["a*b?c*x", "abxbbxdbxebxczzy", false],
    ["ab[c]", "abc", true],
    ["ab[^e-g]", "abc", true],
    ["a\\*b", "a*b", true],
    ["a???b", "a\u263ab", false],
    ["a?b", "a\u263ab", true],
    ["[a-z]*", "\u00e4", false],
    ["[]a]", "]", undefined],
    ["[-]", "-", undefined],
    ["[a", "a", undefined],
    ["a[", "ab", undefined],
    ["a[", "x", undefined],
    ["\\", "a", undefined],
    ["*x", "xxx", true],
    ["", "", true],
    ["", "a", false],
  ] as const) {
    test(`${pattern || "nothing"} and ${name || "nothing"}: ${matched}`, () => {
      assert.equal(matchPattern(pattern, name), matched);
    });
  }
});

describe("parseUrl()", () => {
  for (const [text, host, path] of [
    ["registry.io", "registry.io", ""],
    ["Registry.IO:5000/a%20b?q#f", "Registry.IO:5000", "/a b"],
    ["user:p%40ss@registry.io/", "registry.io", "/"],
    ["registry.io:/x", "registry.io:", "/x"],
    ["*.io#/x", "*.io", ""],
    ["[fe80::1%25eth0]:443/x", "[fe80::1%eth0]:443", "/x"],
    ["%C3%A4.io", "\u00e4.io", ""],
    ["HTTPS://a.io", "HTTPS:", "//a.io"],
    ["", "", ""],
  ] as const) {
    test(`reads https://${text}`, () => assert.deepEqual(parseUrl(`https://${text}`), { host, path }));
  }

  for (const [text, cause] of [
    ["%invalid%", 'invalid URL escape "%in"'],
    ["registry.io:*", 'invalid port ":*" after host'],
    ["a:b:5", 'invalid port ":b:5" after host'],
    ["a b", 'invalid character " " in host name'],
    ["a\\b", 'invalid character "\\\\" in host name'],
    ["a%41", 'invalid URL escape "%41"'],
    ["a/%4", 'invalid URL escape "%4"'],
    ["reg[12].io", "invalid IP-literal"],
    ["[::1", "missing ']' in host"],
    ["[::1]x", 'invalid port "x" after host'],
    ["[1.2.3.4]", "invalid IP-literal"],
    ["a b@c.io", "net/url: invalid userinfo"],
    ["a\u007f", "net/url: invalid control character in URL"],
  ] as const) {
    test(`refuses https://${JSON.stringify(text)}`, () => {
      const url = `https://${text}`;
      assert.equal(
        messageOf(() => parseUrl(url)),
        `parse ${goQuote(url)}: ${cause}`,
      );
    });
  }
});

test("splitHostPort() takes what can't be split as a host", () => {
  assert.deepEqual(splitHostPort("a.io:80"), { host: "a.io", port: "80" });
  assert.deepEqual(splitHostPort("a.io:"), { host: "a.io", port: "" });
  assert.deepEqual(splitHostPort("[::1]:80"), { host: "::1", port: "80" });
  for (const host of ["a.io", "[::1]", "::1", ""]) assert.deepEqual(splitHostPort(host), { host, port: "" });
});
