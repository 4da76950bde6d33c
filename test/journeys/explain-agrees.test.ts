/**
 * Explaining and the node can't disagree: hundreds of worlds by chance, in each of which explaining says what would
 * become of a Pod's images, and a node of ours finds out. `DRAY_SEED` and `DRAY_WORLDS` ask for others, and for more:
 * 2000 take about 20 seconds.
 */
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";

import fc from "fast-check";

import { ConfiguredHosts } from "../../src/client/index.ts";
import { explain, GivenObjects, isKubernetesObject } from "../../src/explain/index.ts";
import { readManifests } from "../../src/kubernetes/index.ts";
import { compareAnswers } from "./compare-answers.ts";
import { world } from "./random-worlds.ts";
import { askTwice } from "./two-answers.ts";
import { ScriptedRegistries } from "./scripted-registries.ts";
import { listOf, makePrograms } from "./world-lab.ts";

const SEED = Number(process.env["DRAY_SEED"] ?? 20_260_105);
const WORLDS = Number(process.env["DRAY_WORLDS"] ?? 600);

let folder = "";
before(async () => {
  folder = await makePrograms();
});
after(() => rm(folder, { recursive: true }));

test("explaining shows a registry's credentials to that registry alone, not to its mirror", async () => {
  const asked: string[] = [];
  const script = { users: { alice: "drayTestSecret-alice" }, images: { "team/app:1": {} } };
  const { send } = new ScriptedRegistries({ "a.example": script, "mirror.example": script });
  const auth = Buffer.from("alice:drayTestSecret-alice").toString("base64");
  const auths = { "a.example": { auth } };
  const document = Buffer.from(JSON.stringify({ auths })).toString("base64");
  const secret = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "s" },
    type: "kubernetes.io/dockerconfigjson",
    data: { ".dockerconfigjson": document },
  };
  const spec = {
    imagePullSecrets: [{ name: "s" }],
    containers: [{ name: "c", image: "a.example/team/app:1" }],
  };
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec };
  const { objects, secrets } = readManifests(listOf([secret, pod]), { file: "all.json", unread: true });
  const { pods } = await explain({
    workloads: objects
      .map(({ object }) => object)
      .filter(isKubernetesObject)
      .filter(({ kind }) => kind === "Pod")
      .map((object) => ({ object })),
    nodes: [{ platform: { os: "linux", architecture: "amd64" } }],
    surroundings: new GivenObjects({
      objects: [],
      secrets: secrets.map(({ object }) => object),
      complete: true,
    }),
    sources: {},
    admission: [],
    // The first of the world's: one mirror, then the registry.
    hosts: () => new ConfiguredHosts({ roots: [join(folder, "mirror-0")] }),
    send: (request) => {
      asked.push(`${request.url.host} ${request.headers["authorization"] ?? "nobody"}`);
      return send(request);
    },
    problems: [],
    rate: 1e6,
    now: () => 0,
  });
  assert.equal(pods[0]?.images[0]?.outcome.state, "pullable");
  assert.ok(asked.includes("mirror.example nobody"));
  assert.ok(asked.includes(`a.example Basic ${auth}`));
  assert.ok(!asked.includes(`mirror.example Basic ${auth}`));
});

test("explaining says of every world what the node makes of it", { timeout: 590_000 }, async () => {
  const met = new Map<string, number>();
  const property = fc.asyncProperty(world, async (one) => {
    const answers = await askTwice(one, folder);
    const differences = compareAnswers(one, answers);
    assert.deepEqual(differences, []);
    for (const { outcome } of answers.looks?.flat() ?? []) {
      const name = outcome.state === "failed" ? outcome.reason : outcome.state;
      met.set(name, (met.get(name) ?? 0) + 1);
    }
  });
  await fc.assert(property, { seed: SEED, numRuns: WORLDS, endOnFailure: false });
  // A generator that always goes the same way would prove nothing.
  for (const name of [
    "present",
    "pulled",
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
  ]) {
    assert.ok((met.get(name) ?? 0) >= WORLDS / 100, `${name}: ${met.get(name)} times in ${WORLDS} worlds`);
  }
});
