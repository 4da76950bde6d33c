import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { applyDefaults } from "../defaults/apply-defaults.ts";
import { type Json, type KubernetesObject, parseApiVersion } from "../objects/object.ts";
import { findKind } from "../objects/resources.ts";
import { createJsonPatch } from "./create-json-patch.ts";
import { applyMergePatch } from "./merge-patch.ts";
import { applyStrategicMergePatch } from "./strategic-merge.ts";

interface Recorded {
  readonly name: string;
  readonly contentType: string;
  readonly live: KubernetesObject;
  readonly patch: Json;
  readonly stored: KubernetesObject;
}

const { cases } = JSON.parse(readFileSync(new URL("recorded-patches.json", import.meta.url), "utf8")) as {
  readonly cases: readonly Recorded[];
};

for (const { name, contentType, live, patch, stored } of cases) {
  test(`a patch of kubectl (${name}) leaves what the API server left`, () => {
    const kind = findKind({ ...parseApiVersion(live.apiVersion), kind: live.kind });
    const patched =
      contentType === "application/merge-patch+json"
        ? applyMergePatch(live, patch)
        : applyStrategicMergePatch(live, patch, kind?.schema ?? "");
    const differences = createJsonPatch(applyDefaults(patched as KubernetesObject), stored).filter(
      ({ path }) => !/^\/(metadata\/(generation|resourceVersion)|status)/.test(path),
    );
    assert.deepEqual(differences, []);
  });
}
