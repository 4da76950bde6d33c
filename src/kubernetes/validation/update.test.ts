import assert from "node:assert/strict";
import { describe, test } from "node:test";

import type { JsonObject, KubernetesObject } from "../objects/object.ts";
import { prepareForUpdate } from "./prepare.ts";
import { CONTAINER, complete, makePod } from "./testing.ts";
import { validateUpdate } from "./validate.ts";

const ONLY =
  /^spec: Forbidden: pod updates may not change fields other than `spec\.containers\[\*\]\.image`,/;

describe("validateUpdate() of a Pod", () => {
  const tolerations = [{ key: "k", operator: "Exists", effect: "NoExecute", tolerationSeconds: 5 }];
  const old = stored(makePod({ tolerations, activeDeadlineSeconds: 10 }));

  const changed = (spec: JsonObject, metadata: JsonObject = {}): readonly string[] => {
    const next = { ...makePod({ tolerations, activeDeadlineSeconds: 10, ...spec }), status: old["status"] };
    const sent = { ...next, metadata: { ...old.metadata, ...metadata } } as KubernetesObject;
    const prepared = prepareForUpdate(complete(sent), old, "");
    return [...new Set(validateUpdate(prepared, old, "").map(({ message }) => message))];
  };

  test("takes another image, less time, more tolerations and other labels", () => {
    assert.deepEqual(changed({ containers: [{ ...CONTAINER, image: "b:v2" }] }), []);
    assert.deepEqual(changed({ activeDeadlineSeconds: 5 }), []);
    const longer = [{ ...tolerations[0], tolerationSeconds: 9 }, { operator: "Exists" }];
    assert.deepEqual(changed({ tolerations: longer }), []);
    assert.deepEqual(changed({}, { labels: { a: "b" } }), []);
  });

  test("refuses more time, fewer tolerations, and containers that come or go", () => {
    assert.deepEqual(changed({ activeDeadlineSeconds: 11 }), [
      "spec.activeDeadlineSeconds: Invalid value: 11: must be less than or equal to previous value",
    ]);
    assert.deepEqual(changed({ tolerations: [] }), [
      "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds",
    ]);
    assert.deepEqual(changed({ initContainers: [{ ...CONTAINER, name: "i" }] }), [
      "spec.initContainers: Forbidden: pod updates may not add or remove containers",
    ]);
  });

  test("shows what else was changed, as the API server's own types have it", () => {
    const [error = "", ...more] = changed({ hostname: "h", nodeSelector: { a: "b" } });
    assert.deepEqual(more, []);
    assert.match(error, ONLY);
    const [, diff = ""] = /previously negative\)\n([^]*)$/.exec(error) ?? [];
    assert.match(diff, /\n- "NodeSelector": null,\n\+ "NodeSelector": \{\n\+ {2}"a": "b"\n\+ \},\n/);
    assert.match(diff, /\n- "Hostname": "",\n\+ "Hostname": "h",\n/);
  });

  test("keeps names, and takes a mirror for what it was made as", () => {
    assert.deepEqual(changed({}, { name: "other" }), [
      'metadata.name: Invalid value: "other": field is immutable',
    ]);
    const mirror = { "kubernetes.io/config.mirror": "x" };
    assert.deepEqual(changed({ nodeName: "n" }, { annotations: mirror }).slice(0, 1), [
      "metadata.annotations[kubernetes.io/config.mirror]: Forbidden: may not add mirror pod annotation",
    ]);
  });
});

describe("ephemeral containers", () => {
  const debug = { name: "debug", image: "dbg:v1" };
  const old = stored(makePod({ ephemeralContainers: [debug] }));

  const changed = (spec: JsonObject, from: KubernetesObject = old): readonly string[] => {
    const sent = { ...makePod(spec), metadata: from.metadata };
    const prepared = prepareForUpdate(complete(sent), from, "ephemeralcontainers");
    return validateUpdate(prepared, from, "ephemeralcontainers").map(({ message }) => message);
  };

  test("may come; nothing else of the Pod changes on this way", () => {
    const more = { ephemeralContainers: [debug, { name: "more", image: "x", targetContainerName: "c" }] };
    assert.deepEqual(changed({ ...more, hostname: "h" }), []);
  });

  test("may not change or go", () => {
    const [other = ""] = changed({ ephemeralContainers: [{ ...debug, image: "dbg:v2" }] });
    assert.match(
      other,
      /^spec\.ephemeralContainers: Forbidden: existing ephemeral containers "debug" may not be changed\n@@/,
    );
    assert.deepEqual(changed({ ephemeralContainers: [] }), [
      'spec.ephemeralContainers: Forbidden: existing ephemeral containers "debug" may not be removed\n',
    ]);
  });

  test("have names and targets like others, and no ports", () => {
    const bad = [
      debug,
      { name: "c", image: "x", targetContainerName: "nosuch", ports: [{ containerPort: 1 }] },
    ];
    assert.deepEqual(changed({ ephemeralContainers: bad }), [
      'spec.ephemeralContainers[1].name: Duplicate value: "c"',
      'spec.ephemeralContainers[1].targetContainerName: Not found: "nosuch"',
      "spec.ephemeralContainers[1].ports: Forbidden: cannot be set for an Ephemeral Container",
    ]);
  });

  test("are nothing for Pods from a file", () => {
    const metadata = { annotations: { "kubernetes.io/config.mirror": "x" } };
    const mirror = stored(makePod({ nodeName: "n" }, metadata));
    assert.deepEqual(changed({ ephemeralContainers: [debug] }, mirror), [
      ": Forbidden: static pods do not support ephemeral containers",
    ]);
  });
});

describe("prepareForUpdate()", () => {
  test("keeps the status for its own subresource, and counts changes of what is wanted", () => {
    const old = stored(makePod());
    const sent = { ...old, status: { phase: "Failed" }, metadata: { ...old.metadata, generation: 99 } };
    const prepared = prepareForUpdate(sent, old, "");
    assert.deepEqual(prepared["status"], old["status"]);
    assert.equal(prepared.metadata.generation, 1);
    const other = complete({ ...sent, spec: { containers: [{ ...CONTAINER, image: "b" }] } });
    assert.equal(prepareForUpdate(other, old, "").metadata.generation, 2);
  });

  test("keeps everything but the status on its way", () => {
    const old = stored(makePod());
    const status = prepareForUpdate({ ...old, spec: {}, status: { phase: "Failed" } }, old, "status");
    assert.deepEqual(status["spec"], old["spec"]);
    assert.deepEqual(status["status"], { phase: "Failed", qosClass: "BestEffort" });
  });
});

function stored(pod: KubernetesObject): KubernetesObject {
  const metadata = { ...pod.metadata, uid: "1", resourceVersion: "1", generation: 1 };
  return { ...pod, metadata, status: { phase: "Pending", qosClass: "BestEffort" } };
}
