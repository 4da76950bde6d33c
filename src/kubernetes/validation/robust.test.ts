import { test } from "node:test";

import fc from "fast-check";

import { applyDefaults } from "../defaults/apply-defaults.ts";
import type { JsonObject, KubernetesObject } from "../objects/object.ts";
import { API_RESOURCES } from "../objects/resources.ts";
import { formatApiVersion } from "../objects/object.ts";
import { prepareForCreate, prepareForUpdate } from "./prepare.ts";
import { validateCreate, validateUpdate } from "./validate.ts";
import { warningsFor } from "./warnings.ts";

const NAMES: string[] = [
  ..."name image spec template containers initContainers ephemeralContainers volumes env ports data type".split(
    " ",
  ),
  ..."selector matchLabels resources limits requests tolerations metadata labels annotations status".split(
    " ",
  ),
  ..."securityContext httpGet livenessProbe projected sources schedule jobTemplate imagePullSecrets".split(
    " ",
  ),
];

NAMES.push("constructor");

const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: "medium" },
    fc.constantFrom(null, true, 0, -1, 80, "", "x", "a b", "1Gi", "__proto__", "constructor"),
    fc.array(tie("any"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...NAMES), tie("any"), { maxKeys: 6 }),
  ),
})).any;

test("no object, however odd, makes the rules throw", () => {
  fc.assert(
    fc.property(fc.constantFrom(...API_RESOURCES), value, value, value, (resource, spec, other, more) => {
      const { kind } = resource;
      const object = (parts: unknown): KubernetesObject =>
        ({
          ...(typeof parts === "object" && parts !== null && !Array.isArray(parts) ? parts : { data: parts }),
          spec,
          template: more,
          apiVersion: formatApiVersion(resource),
          kind,
          metadata: { name: "x", uid: "1" },
        }) as unknown as KubernetesObject & JsonObject;
      const created = prepareForCreate(applyDefaults(object(other)));
      validateCreate(created);
      warningsFor(created);
      for (const subresource of ["", "status", "ephemeralcontainers"]) {
        const updated = prepareForUpdate(applyDefaults(object(more)), created, subresource);
        validateUpdate(updated, created, subresource);
      }
    }),
    { numRuns: 300 },
  );
});
