import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import type { JsonObject, KubernetesObject } from "../../kubernetes/index.ts";
import type { AdmissionRequest } from "../admission.ts";
import { listImages } from "../pod-images.ts";
import { podSpecPlace, readPodSpec } from "../pod-spec.ts";
import { runAdmission } from "../run-admission.ts";
import { digestOf, objectFor, requestFor, TestResolver, TestTime } from "../testing.ts";
import { DigestMemory } from "./digest-memory.ts";
import { ORIGINALS_ANNOTATION } from "./originals.ts";
import { pinDigests } from "./plugin.ts";

const IMAGES = [
  "app",
  "app:1",
  "ghcr.io/team/app:1",
  `app@${digestOf("f")}`,
  `app:1@${digestOf("e")}`,
  "NOT valid",
  "",
];
const KINDS = ["pods", "deployments", "cronjobs", "podtemplates"] as const;

const image = fc.constantFrom(...IMAGES);
const manifest = fc.record({
  initContainers: fc.array(image, { maxLength: 2 }),
  containers: fc.array(image, { minLength: 1, maxLength: 3 }),
  volumes: fc.array(image, { maxLength: 2 }),
});

type Manifest = { readonly [list: string]: readonly string[] };

function specOf({ initContainers = [], containers = [], volumes = [] }: Manifest): JsonObject {
  return {
    initContainers: initContainers.map((text, index) => ({ name: `i${index}`, image: text })),
    containers: containers.map((text, index) => ({ name: `c${index}`, image: text })),
    volumes: volumes.map((text, index) => ({ name: `c${index}`, image: { reference: text } })),
  };
}

/** A registry whose tags move at every question, and a chain that is asked with no time passing between. */
function world(): (request: AdmissionRequest) => Promise<KubernetesObject> {
  const time = new TestTime();
  let moves = 0;
  const resolver = new TestResolver(() => ({ digest: digestOf(String(moves++ % 10)) }));
  const digests = new DigestMemory({
    resolver,
    now: time.now,
    startTimer: time.startTimer,
    ttl: 0,
    stale: 0,
  });
  const plugin = pinDigests({ digests });
  return async (request) => {
    const decision = await runAdmission([plugin], request);
    assert.ok(decision.allowed && decision.object !== undefined);
    return decision.object;
  };
}

test("however often a manifest is written, only the first time changes what is stored", async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...KINDS), manifest, async (of, written) => {
      const admit = world();
      const spec = specOf(written);
      const stored = await admit(requestFor(spec, { of }));
      const update = { of, operation: "UPDATE", oldObject: stored } as const;
      assert.deepEqual(await admit(requestFor(spec, update)), stored, "written again");
      assert.equal(await admit(requestFor(spec, { ...update, object: stored })), stored, "given back");
      assert.equal(await admit(requestFor(spec, { of, object: stored })), stored, "looked at twice");
    }),
    { numRuns: 200 },
  );
});

test("an update pins what changed, keeps what didn't, and notes what each was", async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...KINDS), manifest, manifest, async (of, first, second) => {
      const admit = world();
      const stored = await admit(requestFor(specOf(first), { of }));
      const update = requestFor(specOf(second), { of, operation: "UPDATE", oldObject: stored });
      const result = await admit(update);
      const place = podSpecPlace(update.resource);
      assert.ok(place !== undefined);
      const before = new Map(slotsOf(stored));
      const asked = new Map(slotsOf(objectFor(specOf(first), { of })));
      const notes = JSON.parse(result.metadata.annotations?.[ORIGINALS_ANNOTATION] ?? "{}") as JsonObject;
      for (const [[key, now], [, wanted]] of zip(slotsOf(result), slotsOf(update.object))) {
        if (wanted === asked.get(key)) assert.equal(now, before.get(key), `${key} stays`);
        const pinned = now !== wanted;
        if (pinned) assert.match(now, /^(?:app|app:1|ghcr\.io\/team\/app:1|app:latest)@sha256:\d{64}$/);
        assert.equal(notes[key], pinned ? wanted : undefined, `${key} is noted`);
      }

      function slotsOf(object: KubernetesObject | undefined): readonly (readonly [string, string])[] {
        const slots = place === undefined ? [] : listImages(readPodSpec(object, place));
        return slots.map((slot) => [`${slot.list}/${slot.name}`, slot.image]);
      }
    }),
    { numRuns: 300 },
  );
});

function zip<A, B>(one: readonly A[], other: readonly B[]): readonly (readonly [A, B])[] {
  assert.equal(one.length, other.length);
  return one.map((item, index) => [item, other[index] as B]);
}
