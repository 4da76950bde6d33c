import assert from "node:assert/strict";
import { test } from "node:test";
import { criAuth, type CriAuthConfig } from "./cri-auth.ts";

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const USER = { username: "u", password: "p" };

const TABLE: readonly (readonly [auth: CriAuthConfig | undefined, expected: string | undefined])[] = [
  [undefined, ":"],
  [USER, "u:p"],
  [{ ...USER, identityToken: "id" }, "u:p"],
  [{ password: "p" }, ":"],
  [{ identityToken: "id", auth: base64("a:b") }, ":id"],
  [{ auth: base64("a:b:c") }, "a:b:c"],
  [{ auth: base64("a:\0b\0\0") }, "a:b"],
  [{ auth: "YTpi\nYw==" }, "a:bc"],
  [{ auth: "YTpiYw" }, undefined],
  [{ auth: base64("nocolon") }, undefined],
  [{ registryToken: "x" }, ":"],
  [{ ...USER, serverAddress: "https://r.test:5000/v1/" }, "u:p"],
  [{ ...USER, serverAddress: "https://user@r.test:5000" }, "u:p"],
  [{ ...USER, serverAddress: "//r.test:5000" }, "u:p"],
  [{ ...USER, serverAddress: "https://r.test" }, ":"],
  [{ ...USER, serverAddress: "r.test:5000" }, ":"],
  [{ ...USER, serverAddress: "r.test" }, ":"],
  [{ ...USER, serverAddress: "10.0.0.1:5000" }, undefined],
  [{ ...USER, serverAddress: ":5000" }, undefined],
  [{ ...USER, serverAddress: "https://r.test:port" }, undefined],
];

for (const [auth, expected] of TABLE) {
  test(`criAuth() of ${JSON.stringify(auth)} is ${expected ?? "an error"}`, () => {
    if (expected === undefined) {
      assert.throws(() => criAuth(auth, "r.test:5000"), { code: "AUTH_INVALID" });
    } else {
      const { username, secret } = criAuth(auth, "r.test:5000");
      assert.equal(`${username}:${secret.reveal()}`, expected);
    }
  });
}
