import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { configMap, openTestApi } from "../testing.ts";

const MAPS = "/api/v1/namespaces/default/configmaps";

describe("options", () => {
  it("refuses managers that are too long or can't be printed, and says where", async () => {
    await using api = await openTestApi();
    const long = "é".repeat(65);
    for (const [manager, why] of [
      [long, "fieldManager: Too long: may not be more than 128 bytes"],
      [
        "é\0\u{e000}",
        '[fieldManager: Invalid value: "é\\x00\\ue000": invalid character U+0000 (at position 2), ' +
          'fieldManager: Invalid value: "é\\x00\\ue000": invalid character U+E000 (at position 3)]',
      ],
    ] as const) {
      const path = `${MAPS}?fieldManager=${encodeURIComponent(manager)}`;
      const { code, body } = await api.call("POST", path, { body: configMap("a") });
      assert.deepEqual([code, body.message], [422, `CreateOptions.meta.k8s.io "" is invalid: ${why}`]);
    }
    const fits = `${MAPS}?fieldManager=${encodeURIComponent("é".repeat(64))}`;
    assert.equal((await api.call("POST", fits, { body: configMap("a") })).code, 201);
  });

  it("says what of a deletion is no number, and of what type the rest should be", async () => {
    await using api = await openTestApi();
    await api.call("POST", MAPS, { body: configMap("a") });
    const del = async (query: string, body?: unknown): Promise<unknown> => {
      const { code, body: status } = await api.call("DELETE", `${MAPS}/a${query}`, { body });
      return [code, status.message];
    };
    const field = "Go struct field DeleteOptions";
    assert.deepEqual(await del("?gracePeriodSeconds=x"), [
      400,
      'strconv.ParseInt: parsing "x": invalid syntax',
    ]);
    assert.deepEqual(await del("", { gracePeriodSeconds: "5" }), [
      400,
      `json: cannot unmarshal string into ${field}.gracePeriodSeconds of type int64`,
    ]);
    assert.deepEqual(await del("", { gracePeriodSeconds: 1.5 }), [
      400,
      `json: cannot unmarshal number 1.5 into ${field}.gracePeriodSeconds of type int64`,
    ]);
    assert.deepEqual(await del("", { preconditions: [] }), [
      400,
      `json: cannot unmarshal array into ${field}.preconditions of type v1.Preconditions`,
    ]);
    assert.deepEqual(await del("", { dryRun: "All" }), [
      400,
      `json: cannot unmarshal string into ${field}.dryRun of type []string`,
    ]);
    assert.deepEqual(await del("", { propagationPolicy: true }), [
      400,
      `json: cannot unmarshal bool into ${field}.propagationPolicy of type v1.DeletionPropagation`,
    ]);
    const undefinable = "couldn't get version/kind; json parse error: ";
    assert.deepEqual(await del("", "{"), [400, `${undefinable}unexpected end of JSON input`]);
    assert.deepEqual(await del("", { kind: true }), [
      400,
      `${undefinable}json: cannot unmarshal bool into Go struct field .kind of type string`,
    ]);
    const [code, message] = (await del("", [])) as [number, string];
    assert.equal(code, 400);
    assert.ok(
      message.startsWith(`${undefinable}json: cannot unmarshal array into Go value of type struct {`),
    );
    assert.deepEqual(await del("", { kind: "fixed" }), [
      400,
      'no kind "fixed" is registered for version "meta.k8s.io/v1" in scheme "pkg/apis/meta/internalversion/scheme/register.go:27"',
    ]);
    assert.equal((await api.call("DELETE", `${MAPS}/a?dryRun=All`, { body: "null" })).code, 200);
  });
});
