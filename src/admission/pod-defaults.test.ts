import assert from "node:assert/strict";
import { test } from "node:test";

import type { AdmissionRequest } from "./admission.ts";
import { priority } from "./pod-defaults.ts";
import { runAdmission } from "./run-admission.ts";
import { objectFor, requestFor } from "./testing.ts";

const RANKED = { priority: 2_000_000_000, preemptionPolicy: "PreemptLowerPriority" };

test("Priority gives a new Pod its rank, and one replaced by a file without it the rank it had", async () => {
  const spec = { containers: [] };
  const classed = { ...spec, priorityClassName: "system-cluster-critical" };
  assert.deepEqual(await specAfter(requestFor(classed)), { ...classed, ...RANKED });

  const oldObject = objectFor({ ...spec, ...RANKED });
  const update = { operation: "UPDATE", oldObject } as const;
  assert.deepEqual(await specAfter(requestFor(spec, update)), { ...spec, ...RANKED });
  // Validation refuses that; nobody quietly puts it right.
  const changed = { ...spec, priority: 5 };
  const { preemptionPolicy } = RANKED;
  assert.deepEqual(await specAfter(requestFor(changed, update)), { ...changed, preemptionPolicy });
});

async function specAfter(request: AdmissionRequest): Promise<unknown> {
  const decision = await runAdmission([priority], request);
  assert.ok(decision.allowed);
  return decision.object?.["spec"];
}
