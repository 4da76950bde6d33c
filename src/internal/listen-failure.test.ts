import assert from "node:assert/strict";
import { test } from "node:test";

import { explainListenFailure } from "./listen-failure.ts";

test("explainListenFailure() tells apart what the system says, and leaves defects alone", () => {
  const attempt = { what: "the registry", host: "::1", port: 5000, badIdentity: "the key is no key" };
  for (const [code, expected, why] of [
    ["EADDRINUSE", "ADDRESS_IN_USE", "something else listens on that port; stop it or choose another port"],
    ["EACCES", "ADDRESS_UNAVAILABLE", "no permission for that port; choose one from 1024 up"],
    ["EADDRNOTAVAIL", "ADDRESS_UNAVAILABLE", "this machine has no such address"],
    ["ENOTFOUND", "ADDRESS_UNAVAILABLE", "this machine has no such address"],
    ["ERR_OSSL_PEM_NO_START_LINE", "TLS_INVALID", "the key is no key"],
  ] as const) {
    const cause = Object.assign(new Error("x"), { code });
    assert.deepEqual(explainListenFailure(cause, attempt), {
      code: expected,
      message: `Cannot serve the registry on "[::1]:5000": ${why}`,
    });
  }
  assert.equal(explainListenFailure(new TypeError("x"), attempt), undefined);
  assert.equal(explainListenFailure("EADDRINUSE", attempt), undefined);
});
