import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Secret } from "../internal/secret.ts";
import { decodeAuthEntry, encodeAuthEntry } from "./auth-entry.ts";
import { authKeysFor, helperFor, parseDockerConfig } from "./docker-config.ts";
import { CredentialsError } from "./errors.ts";

const text = fc.string({ unit: "grapheme", minLength: 1 }).filter((value) => !value.includes("\0"));

test("what is encoded is decoded again", () => {
  const username = text.filter((value) => !value.includes(":") && value !== "<token>");
  fc.assert(
    fc.property(username, text, (user, password) => {
      const entry = encodeAuthEntry({ kind: "basic", username: user, password: new Secret(password) });
      const credential = decodeAuthEntry(entry, "a test");
      assert.ok(credential?.kind === "basic");
      assert.deepEqual([credential.username, credential.password.reveal()], [user, password]);
    }),
  );
  for (const kind of ["identity-token", "registry-token"] as const) {
    const credential = decodeAuthEntry(encodeAuthEntry({ kind, token: new Secret("t") }), "a test");
    assert.ok(credential?.kind === kind);
    assert.equal(credential.token.reveal(), "t");
  }
});

test("no document makes reading throw anything but its own error", () => {
  const key = fc.constantFrom(
    "auths",
    "credHelpers",
    "credsStore",
    "r.test",
    "auth",
    "username",
    "identitytoken",
  );
  const document = fc.object({ key, values: [fc.string(), fc.integer(), fc.constant(null)], maxDepth: 3 });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        document.map((value) => JSON.stringify(value)),
      ),
      (given) => {
        try {
          const config = parseDockerConfig(given, "a file");
          helperFor(config, "r.test");
          for (const found of authKeysFor(config, "r.test", "a/b"))
            decodeAuthEntry(config.auths[found] ?? {}, found);
        } catch (error) {
          assert.ok(error instanceof CredentialsError, String(error));
        }
      },
    ),
  );
});
