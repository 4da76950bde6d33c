import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inspect } from "node:util";

import fc from "fast-check";

import { Secret } from "../../internal/secret.ts";
import { decodeDocument, type DockerDocument } from "./docker-document.ts";
import { Keyring, keyOf, UnionKeyring } from "./keyring.ts";
import { KeyringSource } from "./keyring-source.ts";
import { findMismatch, parseTarget } from "./url-match.ts";

const FILE = { kind: "file", label: "/var/lib/kubelet/config.json" } as const;

function documentOf(...keys: readonly string[]): DockerDocument {
  return new Map(
    keys.map((key) => [key, { username: `user of ${key}`, password: new Secret("p"), email: "" }]),
  );
}

function keyringOf(...keys: readonly string[]): Keyring {
  const keyring = new Keyring();
  keyring.add(documentOf(...keys), FILE);
  return keyring;
}

function usersFor(keyring: Keyring, image: string): readonly string[] {
  return keyring.lookup(image).credentials.map(({ username }) => username.replace("user of ", ""));
}

describe("keyOf()", () => {
  for (const [location, key] of [
    ["quay.io", "quay.io"],
    ["https://quay.io/v1/", "quay.io"],
    ["http://quay.io/v2/team", "quay.io/team"],
    ["https://quay.io/v2", "quay.io/v2"],
    ["https://quay.io/v3/", "quay.io/v3/"],
    ["user:pass@quay.io:5000/a%20b?q#f", "quay.io:5000/a b"],
    ["HTTPS://quay.io", "HTTPS://quay.io"],
    ["*.quay.io", "*.quay.io"],
  ] as const) {
    test(`keeps ${location} under ${key}`, () => assert.equal(keyOf(location), key));
  }
});

describe("a keyring", () => {
  test("gives every match, the longer keys first", () => {
    const keyring = keyringOf(
      "*.io",
      "registry.io",
      "registry.io/team",
      "registry.io/tea",
      "registry.io:443",
      "other.io",
    );
    assert.deepEqual(usersFor(keyring, "registry.io/team/app"), [
      "registry.io/team",
      "registry.io/tea",
      "registry.io",
      "*.io",
    ]);
    assert.deepEqual(usersFor(keyring, "registry.io:443/team"), ["registry.io:443"]);
  });

  test("keeps the order of documents, and of one document, under one key", () => {
    const keyring = keyringOf("https://quay.io/v1/", "quay.io");
    keyring.add(documentOf("http://quay.io"), FILE);
    assert.deepEqual(usersFor(keyring, "quay.io/a"), ["https://quay.io/v1/", "quay.io", "http://quay.io"]);
  });

  test("leaves out what is no URL, and says so", () => {
    const keyring = keyringOf("%zz", "a.io");
    assert.deepEqual(keyring.rejected, [
      'Entry "%zz" in dockercfg invalid (parse "https://%zz": invalid URL escape "%zz"), ignoring',
    ]);
    assert.deepEqual(usersFor(keyring, "a.io/x"), ["a.io"]);
  });

  test("knows an entry's owner, place and hash, and never shows its password", () => {
    const keyring = new Keyring();
    const owner = { secret: { uid: "1", namespace: "team", name: "pull" } };
    const document = decodeDocument('{"a.io":{"auth":"dXNlcjpwYXNzd29yZA=="}}', "dockercfg");
    keyring.add(document, { kind: "secret", label: "Secret team/pull", owner });
    const [credential] = keyring.lookup("a.io/x").credentials;
    assert.ok(credential);
    assert.deepEqual(credential.owner, owner);
    assert.deepEqual(credential.origin, { kind: "secret", label: 'Secret team/pull, auths["a.io"]' });
    assert.equal(credential.hash, "a55436fc140d516560d072c5fe8700385ce9f41629abf65c1edcbcb39fac691d");
    assert.doesNotMatch(
      inspect(keyring.explain("a.io/x"), { depth: 9 }) + JSON.stringify(credential),
      /password"?: ?"?'?password/,
    );
  });

  test("forgets owner and hash when nothing is tracked", () => {
    const keyring = new Keyring({ track: false });
    keyring.add(documentOf("a.io"), { ...FILE, owner: { secret: { uid: "", namespace: "", name: "" } } });
    const [credential] = keyring.lookup("a.io").credentials;
    assert.deepEqual([credential?.hash, credential?.owner], ["", undefined]);
  });

  test("says of every key why it doesn't match", () => {
    const keyring = keyringOf("a.io", "b.io", "*.*.io", "a.io:5000", "a.io/team", "index.docker.io");
    const { verdicts, defaultRegistry } = keyring.explain("a.io/app");
    assert.deepEqual(
      verdicts.map(({ key, mismatch }) => [key, mismatch]),
      [
        ["index.docker.io", "label-count"],
        ["b.io", "host"],
        ["a.io:5000", "port"],
        ["a.io/team", "path"],
        ["a.io", undefined],
        ["*.*.io", "label-count"],
      ],
    );
    assert.equal(defaultRegistry, false);
    assert.equal(keyring.explain("library/nginx").defaultRegistry, true);
  });
});

test("a union asks its members in order, and finds when there's something", async () => {
  const union = new UnionKeyring([keyringOf("a.io"), undefined, keyringOf("a.io/x", "b.io")]);
  const { credentials, found } = await union.lookup("a.io/x");
  assert.deepEqual(
    [credentials.map(({ username }) => username), found],
    [["user of a.io", "user of a.io/x"], true],
  );
  assert.deepEqual(await union.lookup("c.io"), { credentials: [], found: false });
  await assert.rejects(() => Promise.resolve(union.lookup("a.io", { signal: AbortSignal.abort() })), {
    name: "AbortError",
  });
});

test("a keyring is a source that leaves out what a runtime takes for anonymous", async () => {
  const keyring = new Keyring();
  keyring.add(
    new Map([["a.io", { username: "", password: new Secret("p"), email: "" }], ...documentOf("a.io/x")]),
    FILE,
  );
  const source = new KeyringSource(keyring);
  assert.deepEqual(
    (await source.find({ host: "a.io", repository: "x" })).map(({ origin }) => origin.label),
    [`${FILE.label}, auths["a.io/x"]`],
  );
  assert.deepEqual(await source.find({ host: "a.io" }), []);
});

describe("the index", () => {
  const label = fc.constantFrom("a", "b", "ab", "*", "a*", "*b", "a*b", "*a*", "**", "a**", "");
  const host = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join("."));
  const port = fc.constantFrom("", "", ":80", ":");
  const path = fc.constantFrom("", "/", "/a", "/ab", "/a/b", "/%41", "/v1/", "/v2/a", "/\u00e4");
  const key = fc.oneof(
    { arbitrary: fc.tuple(host, port, path).map((parts) => parts.join("")), weight: 9 },
    {
      arbitrary: fc.constantFrom("[::1]", "[::1]:80", "[::1]:80/a", "index.docker.io", "a@b", "%", "?"),
      weight: 1,
    },
    { arbitrary: fc.string(), weight: 1 },
  );
  const plainHost = fc
    .array(fc.constantFrom("a", "b", "ab", "aab", "abb", "", "a*b"), { minLength: 1, maxLength: 3 })
    .map((labels) => labels.join("."));
  const image = fc.oneof(
    fc.tuple(plainHost, port, path).map((parts) => parts.join("")),
    fc.constantFrom("[::1]:80/a/b", "[::1]", "library/nginx", "docker.io/x"),
    fc.string(),
  );

  test("answers as trying every key does", () => {
    fc.assert(
      fc.property(fc.uniqueArray(key, { maxLength: 30 }), image, (keys, wanted) => {
        const keyring = keyringOf(...keys);
        const { credentials, found } = keyring.explain(wanted);
        assert.deepEqual(keyring.lookup(wanted), { credentials, found });
      }),
      { numRuns: 2000 },
    );
  });

  test("matches what a literal reading of the rule matches", () => {
    fc.assert(
      fc.property(key, image, (pattern, wanted) => {
        const one = parseTarget(pattern);
        const other = parseTarget(wanted);
        if (one === undefined || other === undefined) return;
        const expected =
          one.port === other.port &&
          one.labels.length === other.labels.length &&
          other.path.startsWith(one.path) &&
          one.labels.every((text, index) => simpleMatch(text, other.labels[index] ?? ""));
        if (one.labels.some((text) => /[[\]?\\/]/.test(text)) || /[[\]/]/.test(other.labels.join(""))) return;
        assert.equal(findMismatch(one, other) === undefined, expected);
      }),
      { numRuns: 2000 },
    );
  });

  test("finds one of ten thousand keys without trying them", () => {
    const keys = Array.from({ length: 10_000 }, (_, index) => `r${index % 5000}.example.io/team-${index}`);
    const keyring = keyringOf("*.example.io", ...keys);
    assert.deepEqual(usersFor(keyring, "r42.example.io/team-5042/app"), [
      "r42.example.io/team-5042",
      "*.example.io",
    ]);
  });
});

/** Patterns of stars alone, as a regular expression. */
function simpleMatch(pattern: string, text: string): boolean {
  const escaped = pattern.split("*").map((part) => part.replaceAll(/[^\w]/gu, "\\$&"));
  return new RegExp(`^${escaped.join("[^]*")}$`).test(text);
}
