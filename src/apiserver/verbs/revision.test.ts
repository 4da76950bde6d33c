import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { configMap, openTestApi } from "../testing.ts";

const MAPS = "/api/v1/namespaces/default/configmaps";
const NO_NUMBER = 'strconv.ParseUint: parsing "x": invalid syntax';
const TOO_LARGE = 'strconv.ParseUint: parsing "18446744073709551616": value out of range';
const MODIFIED =
  'Operation cannot be fulfilled on configmaps "a": the object has been modified; ' +
  "please apply your changes to the latest version and try again";

describe("the version of an object to be replaced", () => {
  const CASES: readonly (readonly [version: (newest: string) => string, code: number, message?: string])[] = [
    [(newest) => newest, 200],
    [(newest) => `0${newest}`, 200],
    [() => "", 200],
    [() => "0", 200],
    [() => "1", 409, MODIFIED],
    [() => "18446744073709551615", 409, MODIFIED],
    [() => "18446744073709551616", 500, TOO_LARGE],
    [() => "x", 500, NO_NUMBER],
  ];

  it("is read as a number, by PUT and by PATCH", async () => {
    await using api = await openTestApi();
    await api.call("POST", MAPS, { body: configMap("a") });
    for (const [version, code, message] of CASES) {
      for (const method of ["PUT", "PATCH"]) {
        const { body: found } = await api.call("GET", `${MAPS}/a`);
        const resourceVersion = version(found.metadata.resourceVersion ?? "");
        const body = configMap("a", { resourceVersion, labels: { by: `${method}${resourceVersion}` } });
        const type = method === "PUT" ? "application/json" : "application/merge-patch+json";
        const answer = await api.call(method, `${MAPS}/a`, { body, type });
        assert.equal(answer.code, code, `${method} ${resourceVersion}`);
        assert.equal(answer.body.message, message);
        assert.equal(answer.body.reason, code === 409 ? "Conflict" : undefined);
      }
    }
    assert.deepEqual(api.failures, []);
  });

  it("is read as a number where a namespace is let go of", async () => {
    await using api = await openTestApi();
    const metadata = { name: "n", resourceVersion: "x" };
    const body = { apiVersion: "v1", kind: "Namespace", metadata, spec: { finalizers: [] } };
    await api.call("POST", "/api/v1/namespaces", { body: { ...body, metadata: { name: "n" } } });
    const answer = await api.call("PUT", "/api/v1/namespaces/n/finalize", { body });
    assert.deepEqual([answer.code, answer.body.message], [500, NO_NUMBER]);
  });
});
