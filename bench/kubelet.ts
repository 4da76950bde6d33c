/** What a node does for every Pod before a single byte moves: find credentials, decide, know its records. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import { run } from "../test/processes.ts";
import type { Bench } from "./bench.ts";
import { median } from "./measure.ts";

const ENTRIES = 10_000;
const RECORDS = 10_000;

export async function benchKubelet(bench: Bench): Promise<void> {
  bench.say("A node's decisions");
  await benchKeyring(bench);
  await benchDecisions(bench);
  await benchRecords(bench);
}

/** The index beside the plain scan over the same keys, which reads and tries each of them as the kubelet does. */
async function benchKeyring(bench: Bench): Promise<void> {
  const rates = await measure(
    bench,
    `const { Keyring, matchesImage, keyOf, Secret } = await door("credentials");
    const keys = ["*.example.io", "eu-*.registry.example.io", "docker.io/library"];
    for (let i = keys.length; i < ${ENTRIES}; i++)
      keys.push(i % 10 === 0 ? "*.r" + i + ".example.io/team" : "r" + (i % 5000) + ".example.io/team-" + i);
    const keyring = new Keyring();
    const entry = { username: "u", password: new Secret("p"), email: "" };
    keyring.add(new Map(keys.map((key) => [key, entry])), { kind: "file", label: "bench" });
    const images = Array.from({ length: 1000 }, (_, i) => "r" + (i * 7 % 5000) + ".example.io/team-" + (i * 7) + "/app");
    const order = keys.map(keyOf).sort().reverse();
    const scan = (image) => order.filter((key) => matchesImage(key, image));
    for (const image of images.slice(0, 5))
      if (scan(image).length !== keyring.lookup(image).credentials.length) throw new Error("index and scan disagree on " + image);
    let found = 0;
    const linear = rate(() => { found += scan(images[found % 1000]).length; }, 40);
    const indexed = rate(() => { for (const image of images) found += keyring.lookup(image).credentials.length; }, 60) * images.length;
    report(linear, indexed);`,
  );
  const [linear = Number.NaN, indexed = Number.NaN] = rates;
  bench.say(`  ${count(indexed)} lookups a second, ${count(linear)} by trying every key`);
  bench.results.push({
    what: `credential lookup among ${count(ENTRIES)} entries`,
    dray: `${count(indexed)}/s`,
    peer: `linear scan ${count(linear)}/s`,
    ratio: indexed / linear,
    unit: "×",
    goal: { atLeast: 50 },
  });
}

/** All of `ensure` for an image that is here: name, presence, credentials, records, policy, words. */
async function benchDecisions(bench: Bench): Promise<void> {
  const [pure = Number.NaN, whole = Number.NaN] = await measure(
    bench,
    `const { decidePull, decideWithoutCredentials, decideByCredentials, ImageManager, PullManager, CachedPullRecords,
      FilePullRecords, makeVerificationPolicy } = await door("images");
    const { Keyring } = await door("credentials");
    const policy = makeVerificationPolicy("NeverVerifyPreloadedImages");
    const secret = { uid: "u", namespace: "team", name: "pull", credentialHash: "h" };
    const record = { imageRef: "sha256:1", lastUpdatedTime: 0,
      credentialMapping: new Map([["r.example/team/app", { kubernetesSecrets: [secret] }]]) };
    let kept = 0;
    const decide = () => {
      for (let i = 0; i < 1000; i++) {
        let access = decideWithoutCredentials({ image: "r.example/team/app:1", policy, record, intended: true });
        if (!("because" in access)) access = decideByCredentials(access, { secrets: [secret], serviceAccount: undefined });
        if (decidePull({ policy: "IfNotPresent", present: true, access }).action === "use") kept++;
      }
    };
    decide();
    if (kept !== 1000) throw new Error("an image that may be used was not");
    const decisions = rate(decide, 300) * 1000;

    const records = await CachedPullRecords.open(await FilePullRecords.open(folder), { intents: 10, pulled: 100 });
    const access = new PullManager({ records, policy, now: Date.now });
    const image = { id: "sha256:1", digest: undefined, size: 1 };
    const runtime = { find: async () => image, pull: async (_, { credentials }) => ({ ...image, credential: credentials[0] }) };
    const auth = { auths: { "r.example": { username: "u", password: "p" } } };
    const pullSecrets = [{ uid: "u", namespace: "team", name: "pull", type: "kubernetes.io/dockerconfigjson",
      data: { ".dockerconfigjson": Buffer.from(JSON.stringify(auth)) } }];
    const manager = new ImageManager({ runtime, access, now: Date.now, keyring: () => new Keyring(), rate: { qps: 0, burst: 0 } });
    const ensure = () => manager.ensure({ image: "r.example/team/app:1", policy: "IfNotPresent", podUid: "p", pullSecrets });
    await manager.ensure({ image: "r.example/team/app:1", policy: "Always", podUid: "p", pullSecrets });
    const stranger = await manager.ensure({ image: "r.example/team/app:1", policy: "Never", podUid: "p" });
    if (stranger.state !== "failed") throw new Error("nobody asked for the Secret");
    const began = process.hrtime.bigint();
    let ensured = 0;
    for (; ensured < 20_000; ensured++) if ((await ensure()).state === "failed") throw new Error("refused");
    report(decisions, ensured / (Number(process.hrtime.bigint() - began) / 1e9));`,
  );
  bench.say(`  ${count(pure)} decisions a second, ${count(whole)} whole answers`);
  for (const [what, value, atLeast] of [
    ["pull decisions, records and credentials known", pure, 500_000],
    ["`ensure` of an image that is here, with a Secret", whole, 5000],
  ] as const) {
    bench.results.push({
      what,
      dray: `${count(value)}/s`,
      peer: "",
      ratio: value,
      unit: "/s",
      goal: { atLeast },
    });
  }
}

/** From nothing to knowing every record, as a node does when it starts. */
async function benchRecords(bench: Bench): Promise<void> {
  const [seconds = Number.NaN] = await measure(
    bench,
    `const { FilePullRecords, openPullManager, makeVerificationPolicy } = await door("images");
    const files = await FilePullRecords.open(folder);
    for (let i = 0; i < ${RECORDS}; i++) {
      const credentialMapping = new Map([["r.example/team/app-" + i, { nodePodsAccessible: true }]]);
      await files.pulled.write({ imageRef: "sha256:" + i, lastUpdatedTime: 0, credentialMapping });
    }
    const policy = makeVerificationPolicy("NeverVerifyPreloadedImages");
    const times = [];
    for (let round = 0; round < 3; round++) {
      const began = process.hrtime.bigint();
      await openPullManager({ root: folder, policy, now: Date.now, listImages: async () => [], cacheForPods: 110 });
      times.push(Number(process.hrtime.bigint() - began) / 1e9);
    }
    report(times.sort((a, b) => a - b)[1]);`,
    1,
  );
  bench.say(`  ${count(RECORDS)} pull records at start-up: ${seconds.toFixed(2)} s`);
  bench.results.push({
    what: `${count(RECORDS)} pull records at start-up`,
    dray: `${seconds.toFixed(2)} s`,
    peer: "",
    ratio: seconds,
    unit: "s",
    goal: { atMost: 1 },
  });
}

/** Runs a script on the built package in processes of its own; the medians of what it reports. */
async function measure(
  bench: Bench,
  script: string,
  rounds: number = bench.rounds,
): Promise<readonly number[]> {
  const folder = join(bench.folder, "kubelet");
  const lines = [
    `const door = (room) => import(${JSON.stringify(join(bench.package, "dist"))} + "/" + room + "/index.js");`,
    `const folder = ${JSON.stringify(folder)};`,
    "const report = (...numbers) => console.log(numbers.join(' '));",
    // Once to warm up; then as often as it takes, by the clock.
    "const rate = (work, times) => { for (let i = 0; i < times; i++) work(); const began = process.hrtime.bigint();",
    "  for (let i = 0; i < times; i++) work(); return times / (Number(process.hrtime.bigint() - began) / 1e9); };",
    script,
  ];
  const all: (readonly number[])[] = [];
  for (let round = 0; round < rounds; round++) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    const out = await run(process.execPath, ["--input-type=module", "-e", lines.join("\n")], {
      timeout: 120_000,
    });
    all.push(out.trim().split(" ").map(Number));
  }
  return (all[0] ?? []).map((_, index) => median(all.map((numbers) => numbers[index] ?? Number.NaN)));
}

function count(number: number): string {
  return Math.round(number).toLocaleString("en");
}
