import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inspect } from "node:util";

import { GoError } from "../../internal/go/errors.ts";
import { decodeProviderConfig } from "./provider-config.ts";
import { validateProviderConfig, validationMessage } from "./provider-config-validation.ts";

const HEAD = "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\n";

function problemOf(text: string): string {
  try {
    decodeProviderConfig(text);
  } catch (error) {
    if (error instanceof GoError) return error.message;
    throw error;
  }
  return "";
}

describe("decodeProviderConfig()", () => {
  for (const [text, problem] of [
    [`${HEAD}providers: [{nme: a, name: b}]`, 'strict decoding error: unknown field "providers[0].nme"'],
    [`${HEAD}Providers: []`, 'strict decoding error: unknown field "Providers"'],
    [
      `${HEAD}providers:\n- name: a\n  name: b\n  x: 1`,
      'strict decoding error: yaml: unmarshal errors:\n  line 5: key "name" already set in map, unknown field "providers[0].x"',
    ],
    [
      '{"apiVersion":"kubelet.config.k8s.io/v1","kind":"CredentialProviderConfig","providers":[{"name":"a","name":"b"}]}',
      'strict decoding error: duplicate field "providers[0].name"',
    ],
    [
      `${HEAD}providers: [{name: 1}]`,
      "json: cannot unmarshal number into Go struct field CredentialProvider.providers.name of type string",
    ],
    [
      `${HEAD}providers: [{env: [{value: yes}]}]`,
      "json: cannot unmarshal bool into Go struct field ExecEnvVar.providers.env.value of type string",
    ],
    [
      `${HEAD}providers: [{defaultCacheDuration: 10}]`,
      "json: cannot unmarshal number into Go struct field CredentialProvider.providers.defaultCacheDuration of type string",
    ],
    [`${HEAD}providers: [{defaultCacheDuration: 10x}]`, 'time: unknown unit "x" in duration "10x"'],
    [
      "kind: KubeletConfiguration\napiVersion: kubelet.config.k8s.io/v1beta1",
      'failed to decode "KubeletConfiguration" (wrong Kind)',
    ],
    ["apiVersion: a/b/c\nkind: X", "unexpected GroupVersion string: a/b/c"],
    [
      "kind: [x]",
      "couldn't get version/kind; json parse error: json: cannot unmarshal array into Go struct field .kind of type string",
    ],
    ['{"kind"', "couldn't get version/kind; json parse error: unexpected end of JSON input"],
    ["kind: CredentialProviderConfig", "Object 'apiVersion' is missing in '\u2026'"],
    ["", "Object 'Kind' is missing in '\u2026'"],
  ] as const) {
    test(`refuses ${JSON.stringify(text.replace(HEAD, ""))}`, () => assert.equal(problemOf(text), problem));
  }

  test("reads anchors, merges, and only the first document", () => {
    const text = `${HEAD}providers:\n- &a {name: a, args: [x]}\n- {<<: *a, name: b}\n---\nkind: Other`;
    assert.deepEqual(
      decodeProviderConfig(text).providers.map(({ name, args }) => [name, args]),
      [
        ["a", ["x"]],
        ["b", ["x"]],
      ],
    );
  });

  test("refuses a document that grows without end", () => {
    const levels = Array.from(
      { length: 30 },
      (_, level) => `a${level + 1}: &a${level + 1} [*a${level}, *a${level}]`,
    );
    assert.equal(problemOf(`a0: &a0 x\n${levels.join("\n")}`), "yaml: document contains excessive aliasing");
  });

  test("puts the values of variables away", () => {
    const config = decodeProviderConfig(`${HEAD}providers: [{env: [{name: KEY, value: hush}]}]`);
    assert.doesNotMatch(inspect(config, { depth: 9 }) + JSON.stringify(config.providers[0]?.env), /hush/);
    assert.equal(config.providers[0]?.env?.[0]?.value.reveal(), "hush");
  });
});

test("a document as it should be passes validation, and each flaw is named in order", () => {
  const text = `${HEAD}providers:
- name: good
  matchImages: ["*.io"]
  defaultCacheDuration: 0s
  apiVersion: credentialprovider.kubelet.k8s.io/v1
  tokenAttributes: {serviceAccountTokenAudience: a, cacheType: Token, requireServiceAccount: true}
`;
  const good = decodeProviderConfig(text);
  assert.equal(validationMessage(validateProviderConfig(good)), "");
  const bad = decodeProviderConfig(
    text
      .replace("0s", "-90s")
      .replace("Token,", "'',")
      .replace(
        "true",
        "false, requiredServiceAccountAnnotationKeys: [B/c/d, a/b, a/b, -/x], optionalServiceAccountAnnotationKeys: [a/b]",
      ),
  );
  const [first, ...rest] = validateProviderConfig(bad).map(({ message }) =>
    message.replace(/^providers\./, ""),
  );
  assert.equal(first, 'defaultCacheDuration: Invalid value: "-1m30s": must be greater than or equal to 0');
  assert.deepEqual(
    rest.map((message) => message.replace("tokenAttributes", "").slice(0, 90)),
    [
      ".requiredServiceAccountAnnotationKeys: Forbidden: requireServiceAccount cannot be false whe",
      '.requiredServiceAccountAnnotationKeys: Invalid value: "B/c/d": a qualified name must consis',
      '.requiredServiceAccountAnnotationKeys: Duplicate value: "a/b"',
      '.requiredServiceAccountAnnotationKeys: Invalid value: "-/x": prefix part a lowercase RFC 11',
      ': Invalid value: ["a/b"]: annotation keys cannot be both required and optional',
      ".cacheType: Required value: cacheType is required to be set when tokenAttributes is specifi",
    ].map((line) => line.slice(0, 90)),
  );
});
