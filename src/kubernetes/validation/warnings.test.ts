import assert from "node:assert/strict";
import { test } from "node:test";

import { CONTAINER, makePod, makeWorkload } from "./testing.ts";
import { warningsFor } from "./warnings.ts";

test("warningsFor() tells of what is accepted and hardly meant", () => {
  const spec = {
    imagePullSecrets: [{ name: "a" }, { name: "a" }, {}],
    terminationGracePeriodSeconds: -1,
    nodeSelector: { "beta.kubernetes.io/os": "linux" },
    containers: [
      {
        ...CONTAINER,
        env: [
          { name: "A", value: "x" },
          { name: "A", value: "$(A) y" },
          { name: "A", value: "z" },
        ],
        resources: { limits: { memory: "100m" } },
        ports: [{ containerPort: 80 }, { containerPort: 80 }],
      },
    ],
  };
  const warnings = [
    'nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead',
    'imagePullSecrets[1].name: duplicate name "a"',
    'imagePullSecrets[2].name: invalid empty name ""',
    'containers[0].resources.limits[memory]: fractional byte value "100m" is invalid, must be an integer',
    'containers[0].env[2]: hides previous definition of "A", which may be dropped when using apply',
    "terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1",
    "containers[0].ports[1]: duplicate port definition with",
  ];
  const told = (path: string): readonly string[] =>
    warnings.map((one) => `${path}.${one}${one.endsWith("with") ? ` ${path}.containers[0].ports[0]` : ""}`);
  const deployment = makeWorkload("apps/v1", "Deployment", {}, spec);
  assert.deepEqual(warningsFor(deployment), told("spec.template.spec"));
  assert.deepEqual(warningsFor(deployment, deployment), []);
  const request =
    'spec.containers[0].resources.requests[memory]: fractional byte value "100m" is invalid, must be an integer';
  assert.deepEqual(
    warningsFor(makePod(spec)).filter((one) => one !== request),
    told("spec"),
  );
});

test("warningsFor() tells of names that no host can have, once", () => {
  const pod = makePod({}, { name: "a.b" });
  const [warning = "", ...more] = warningsFor(pod);
  assert.match(
    warning,
    /^metadata\.name: this is used in the Pod's hostname, .* is recommended: \[a lowercase/,
  );
  assert.deepEqual([...more, ...warningsFor(pod, pod)], []);
});
