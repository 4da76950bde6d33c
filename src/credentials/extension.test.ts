import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inspect } from "node:util";

import { CredentialsError } from "./errors.ts";
import { loadExtension } from "./extension.ts";

function loading(module: unknown): { load: () => Promise<unknown>; settings: unknown } {
  return { load: () => Promise.resolve(module), settings: { user: "u" } };
}

function finding(answer: () => unknown): { load: () => Promise<unknown>; settings: unknown } {
  return loading({ createCredentialSource: () => ({ find: answer }) });
}

describe("loadExtension()", () => {
  test("makes a source of what the module creates from its settings", async () => {
    const module = {
      createCredentialSource: async ({ user }: { user: string }) => {
        await Promise.resolve();
        return {
          find: ({ host }: { host: string }) => [
            { username: user, password: "hush", label: `vault ${host}` },
            { identityToken: "hush" },
            { registryToken: "hush" },
          ],
        };
      },
    };
    const source = await loadExtension("./vault.ts", loading(module));
    const found = await source.find({ host: "r.io" });
    assert.deepEqual(
      found.map(({ credential, origin }) => [credential.kind, origin.kind, origin.label]),
      [
        ["basic", "extension", "./vault.ts, vault r.io"],
        ["identity-token", "extension", "./vault.ts"],
        ["registry-token", "extension", "./vault.ts"],
      ],
    );
    assert.doesNotMatch(inspect(found, { depth: 9 }), /hush/);
  });

  for (const [title, options, message] of [
    ["that can't be loaded", { load: () => Promise.reject(new Error("syntax")) }, "it can't be loaded"],
    ["that exports something else", loading({ default: {} }), "it exports no createCredentialSource()"],
    ["that is nothing", loading(undefined), "it exports no createCredentialSource()"],
    [
      "that fails to start",
      loading({ createCredentialSource: () => Promise.reject(new Error("no")) }),
      "it failed to start",
    ],
    [
      "that creates nothing",
      loading({ createCredentialSource: () => ({}) }),
      "what it creates has no find()",
    ],
  ] as const) {
    test(`refuses a module ${title}`, async () => {
      await assert.rejects(loadExtension("./x.ts", options), (error) => {
        assert.ok(error instanceof CredentialsError);
        assert.deepEqual(
          [error.code, error.message],
          ["EXTENSION_INVALID", `Cannot use extension "./x.ts": ${message}`],
        );
        return true;
      });
    });
  }

  for (const [title, answer] of [
    ["no list", () => "hush"],
    ["no credential", () => [{ password: "hush" }]],
    ["nothing", () => [null]],
    ["a failure", () => Promise.reject(new Error("hush"))],
  ] as const) {
    test(`never quotes an answer that is ${title}`, async () => {
      const source = await loadExtension("./x.ts", finding(answer));
      await assert.rejects(source.find({ host: "r.io" }), (error) => {
        assert.ok(error instanceof CredentialsError && error.code === "EXTENSION_INVALID");
        return !error.message.includes("hush");
      });
    });
  }
});
