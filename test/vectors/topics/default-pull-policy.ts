import { applyDefaults, type JsonObject } from "../../../src/kubernetes/index.ts";
import { text, type Topic } from "../topic.ts";

/** Where a Pod keeps what a case speaks of. */
const LISTS: Readonly<Record<string, string>> = {
  container: "containers",
  initContainer: "initContainers",
  ephemeralContainer: "ephemeralContainers",
};

export const topic: Topic = {
  check(vector) {
    const kind = text(vector, "kind");
    if (kind === "volumeWithoutSource") {
      const { name: _name, ...source } = volumeOf({ name: "v" });
      return { actual: source, expected: vector["expectedVolumeSource"] };
    }
    const [image, given] = [text(vector, "image"), text(vector, "given")];
    const expected = vector["expected"];
    if (kind === "imageVolume") {
      const volume = volumeOf({ name: "v", image: { reference: image, pullPolicy: given } });
      return { actual: (volume["image"] as JsonObject)["pullPolicy"], expected };
    }
    const list = LISTS[kind];
    if (list === undefined) return undefined;
    const containers = specOf({ [list]: [{ name: "c", image, imagePullPolicy: given }] })[list];
    return { actual: (containers as readonly JsonObject[])[0]?.["imagePullPolicy"], expected };
  },
};

function volumeOf(volume: JsonObject): JsonObject {
  return (specOf({ volumes: [volume] })["volumes"] as readonly JsonObject[])[0] ?? {};
}

function specOf(spec: JsonObject): JsonObject {
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec };
  return applyDefaults(pod)["spec"] as JsonObject;
}
