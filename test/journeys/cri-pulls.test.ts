/** Pulls of the image service: whom credentials are shown to, what is shared, and what becomes of those that hang. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { test } from "node:test";

import { run } from "../../src/cli/run.ts";
import { createMemoryContext } from "../../src/cli/testing.ts";
import { type Behaviour, bytesOf } from "./cri-registry.ts";
import { type CriWorld, failureOf, openCriWorld, pullReaches } from "./cri-world.ts";

const LIMIT = { timeout: 300_000 };
const PASSWORD = "s3cr3t-of-alice";
const ENCODED = Buffer.from(`alice:${PASSWORD}`).toString("base64");

test("every form of a credential is read as containerd reads it, or also the others", LIMIT, async () => {
  await using plain = await openCriWorld();
  await using all = await openCriWorld({ words: ["--credential-forms", "all"] });
  const { host } = plain.registry;
  plain.registry.put("app:1");
  plain.registry.allowed = [`alice:${PASSWORD}`];
  const user = { username: "alice", password: PASSWORD };
  const forms: readonly [auth: object | undefined, plain: string, all: string][] = [
    [undefined, "UNAUTHORIZED", "UNAUTHORIZED"],
    [{}, "UNAUTHORIZED", "UNAUTHORIZED"],
    [user, "", ""],
    [{ ...user, password: "wrong-0f-alice" }, "UNAUTHORIZED", "UNAUTHORIZED"],
    [{ password: PASSWORD }, "UNAUTHORIZED", "UNAUTHORIZED"],
    [{ auth: ENCODED }, "", ""],
    [{ auth: ENCODED, username: "alice", password: "wrong-0f-alice" }, "UNAUTHORIZED", "UNAUTHORIZED"],
    [{ auth: Buffer.from(`alice:${PASSWORD}\0\0`).toString("base64") }, "", ""],
    [{ auth: "???" }, "AUTH_INVALID", "AUTH_INVALID"],
    [{ auth: Buffer.from(PASSWORD).toString("base64") }, "AUTH_INVALID", "AUTH_INVALID"],
    [{ ...user, serverAddress: `https://${host}` }, "", ""],
    [{ ...user, serverAddress: `http://${host}/v2/` }, "", ""],
    [{ ...user, serverAddress: "https://other.example" }, "UNAUTHORIZED", "UNAUTHORIZED"],
    [{ ...user, serverAddress: host }, "UNAUTHORIZED", ""],
    [{ ...user, serverAddress: "other.example" }, "UNAUTHORIZED", "UNAUTHORIZED"],
  ];
  for (const [auth, ...expected] of forms) {
    for (const [index, world] of [plain, all].entries()) {
      const image = { image: `${host}/app:1` };
      await world.client.images.removeImage({ image });
      const { own, text } = await failureOf(world.client.images.pullImage({ image, ...(auth && { auth }) }));
      assert.equal(own, expected[index], `${Object.keys(auth ?? {}).join()} ${index}: ${text}`);
      for (const secret of [PASSWORD, ENCODED, "wrong-0f-alice"]) {
        assert.ok(!text.includes(secret) && !world.printed.includes(secret), "a secret was told");
      }
    }
  }
});

test("a registry's own token is shown where all forms count, to whom it is for", LIMIT, async () => {
  await using plain = await openCriWorld();
  await using all = await openCriWorld({ words: ["--credential-forms", "all"] });
  const { host } = plain.registry;
  plain.registry.put("app:1");
  plain.registry.allowed = ["Bearer ready-made"];
  plain.registry.challenge = `Bearer realm="http://${host}/token",service="here"`;
  const pull = async (world: CriWorld, auth: object): Promise<boolean> => {
    const { code, text } = await failureOf(
      world.client.images.pullImage({ image: { image: `${host}/app:1` }, auth }),
    );
    assert.ok(!text.includes("ready-made") && !world.printed.includes("ready-made"), "a secret was told");
    return code === "OK";
  };
  assert.equal(await pull(plain, { registryToken: "ready-made" }), false);
  assert.equal(await pull(all, { registryToken: "ready-made", serverAddress: "other.example" }), false);
  const shown = plain.registry.asked.filter(({ authorization }) => authorization !== undefined);
  assert.deepEqual(shown, []);
  assert.equal(await pull(all, { registryToken: "ready-made" }), true);
  assert.equal(await pull(all, { registryToken: "ready-made", serverAddress: host }), true);
});

test("a pull without a credential uses the node's own, only where that is allowed", LIMIT, async () => {
  for (const [words, code] of [
    [[], "Unknown"],
    [["--node-credentials"], "OK"],
  ] as const) {
    await using world = await openCriWorld({ words });
    const { client, registry, dataDir } = world;
    registry.put("app:1");
    registry.allowed = [`alice:${PASSWORD}`];
    await writeFile(
      join(dataDir, "config.json"),
      JSON.stringify({ auths: { [registry.host]: { auth: ENCODED } } }),
    );
    const image = { image: `${registry.host}/app:1` };
    assert.equal((await failureOf(client.images.pullImage({ image }))).code, code);
    // One that was handed over counts alone.
    const auth = { username: "alice", password: "wrong" };
    assert.equal((await failureOf(client.images.pullImage({ image, auth }))).own, "UNAUTHORIZED");
  }
});

test("identical pulls are one, and a layer is fetched once for all who want it", LIMIT, async () => {
  await using world = await openCriWorld();
  const { client, registry } = world;
  const shared = bytesOf(300_000, 1);
  const gate = Promise.withResolvers<void>();
  const layerAsked = Promise.withResolvers<void>();
  const ids = ["a:1", "b:1", "c:1"].map((name) => registry.put(name, { layers: [shared] }));
  const layer = ids[0]?.layers[0]?.digest ?? "";
  registry.behave = ({ path }): Behaviour => {
    if (!path.endsWith(layer)) return {};
    layerAsked.resolve();
    return { until: gate.promise };
  };
  const names = ["a:1", "a:1", "a:1", "b:1", "c:1"];
  const pulls = names.map((name) =>
    client.images.pullImage({ image: { image: `${registry.host}/${name}` } }),
  );
  await layerAsked.promise;
  // Both questions of the other images were answered; only the layer is waited for.
  gate.resolve();
  const got = (await Promise.all(pulls)).map(({ imageRef }) => imageRef);
  const [a, b, c] = ids.map(({ id }) => id);
  assert.deepEqual(got, [a, a, a, b, c]);
  const fetched = registry.fetched();
  assert.deepEqual(fetched.toSorted(), [...new Set(fetched)].toSorted());
  assert.deepEqual(
    fetched.filter((digest) => digest === layer),
    [layer],
  );
});

test("a pull ends with its caller, the others go on, and what came is kept", LIMIT, async () => {
  await using world = await openCriWorld();
  const { client, registry } = world;
  const stalls = [bytesOf(400_000, 1)];
  const pushed = registry.put("app:1", { layers: [...stalls, bytesOf(1000, 2)] });
  const big = pushed.layers[0]?.digest ?? "";
  registry.behave = ({ path }): Behaviour => (path.endsWith(big) ? { stallAfter: 396_000 } : {});
  const image = { image: `${registry.host}/app:1` };
  const [one, two] = [new AbortController(), new AbortController()];
  const first = failureOf(client.images.pullImage({ image }, { signal: one.signal }));
  const second = failureOf(client.images.pullImage({ image }, { signal: two.signal }));
  const far = { digest: big, bytes: 396_000, of: 3 };
  await pullReaches(client, { ...far, pulls: 2 });
  one.abort();
  assert.equal((await first).code, "Canceled");
  await pullReaches(client, far);
  assert.ok(registry.open > 0);
  two.abort();
  assert.equal((await second).code, "Canceled");
  await pullsReach(world, 0, 0);
  assert.deepEqual((await client.images.listImages({})).images, []);
  registry.behave = (): Behaviour => ({});
  registry.asked.length = 0;
  assert.equal((await client.images.pullImage({ image })).imageRef, pushed.id);
  const again = registry.asked.filter(({ method, path }) => method === "GET" && path.includes("/blobs/"));
  assert.deepEqual(
    again.map(({ path, from }) => [path.endsWith(big), from]),
    [[true, 396_000]],
  );
});

for (const [where, at] of [
  ["after the manifest", 0],
  ["at 99 %", 396_000],
] as const) {
  test(
    `a registry that stalls ${where} fails its pull with a code, and the node goes on`,
    LIMIT,
    async (t) => {
      await using world = await openCriWorld({ words: ["--pull-progress-timeout", "300ms"] });
      const { client, registry } = world;
      // Time goes by when that is said, however slow the machine is.
      t.mock.timers.enable({ apis: ["setTimeout"] });
      const { layers, id } = registry.put("app:1", { layers: [bytesOf(400_000, 1)] });
      registry.put("fine:1");
      const layer = layers[0]?.digest ?? "";
      registry.behave = ({ path }): Behaviour => (path.endsWith(layer) ? { stallAfter: at } : {});
      const image = { image: `${registry.host}/app:1` };
      const failing = failureOf(client.images.pullImage({ image }));
      await pullReaches(client, { digest: layer, bytes: at, of: 2 });
      await client.images.pullImage({ image: { image: `${registry.host}/fine:1` } });
      t.mock.timers.tick(300);
      const failure = await failing;
      assert.deepEqual([failure.code, failure.own], ["Canceled", "PULL_STALLED"]);
      assert.match(failure.text, /^Cannot pull "localhost:\d+\/app:1": no byte came for 0.3 s$/);
      registry.behave = (): Behaviour => ({});
      assert.equal((await client.images.pullImage({ image })).imageRef, id);
      t.mock.timers.reset();
    },
  );
}

test("a registry that never answers at all fails its pull, too", LIMIT, async () => {
  await using world = await openCriWorld({ words: ["--pull-progress-timeout", "300ms"] });
  world.registry.behave = (): Behaviour => ({ until: new Promise(() => {}) });
  const failure = await failureOf(
    world.client.images.pullImage({ image: { image: `${world.registry.host}/a:1` } }),
  );
  assert.equal(failure.own, "PULL_STALLED");
});

test("a pull that takes too long altogether is given up, whatever comes", LIMIT, async () => {
  await using world = await openCriWorld({ words: ["--pull-deadline", "300ms"] });
  const { client, registry } = world;
  const { layers } = registry.put("app:1", { layers: [bytesOf(400_000, 1)] });
  registry.behave = ({ path }): Behaviour =>
    path.endsWith(layers[0]?.digest ?? "") ? { stallAfter: 200_000 } : {};
  const failure = await failureOf(client.images.pullImage({ image: { image: `${registry.host}/app:1` } }));
  assert.deepEqual([failure.code, failure.own], ["DeadlineExceeded", "PULL_OVERDUE"]);
});

test(
  "a caller's own deadline is told as such, also where it passed before anything was asked",
  LIMIT,
  async () => {
    await using world = await openCriWorld();
    const { client, registry } = world;
    registry.put("app:1");
    registry.behave = (): Behaviour => ({ until: new Promise(() => {}) });
    for (const timeoutMs of [1, 200]) {
      const pull = client.images.pullImage({ image: { image: `${registry.host}/app:1` } }, { timeoutMs });
      assert.equal((await failureOf(pull)).code, "DeadlineExceeded");
    }
    assert.deepEqual((await client.images.listImages({})).images, []);
  },
);

test("what a registry gets wrong is an error with a code, and leaves no image", LIMIT, async () => {
  await using world = await openCriWorld();
  const { client, registry } = world;
  const cases: readonly [name: string, breakIt: (layer: string) => void, code: string, own: string][] = [
    ["corrupt:1", (layer): void => registry.corrupt(layer), "FailedPrecondition", "DIGEST_INVALID"],
    [
      "missing:1",
      (layer): void => {
        registry.behave = ({ path }): Behaviour => (path.endsWith(layer) ? { status: 404 } : {});
      },
      "NotFound",
      "BLOB_UNKNOWN",
    ],
    [
      "forbidden:1",
      (layer): void => {
        registry.behave = ({ path }): Behaviour => (path.endsWith(layer) ? { status: 403 } : {});
      },
      "Unknown",
      "DENIED",
    ],
  ];
  for (const [index, [name, breakIt, code, own]] of cases.entries()) {
    const { layers } = registry.put(name, { layers: [bytesOf(5000, index)] });
    breakIt(layers[0]?.digest ?? "");
    const failure = await failureOf(
      client.images.pullImage({ image: { image: `${registry.host}/${name}` } }),
    );
    assert.deepEqual([failure.code, failure.own], [code, own], failure.text);
  }
  assert.deepEqual((await client.images.listImages({})).images, []);
});

test("pulls are seen while they run: by dray pulls, as a stream, and in metrics", LIMIT, async () => {
  await using world = await openCriWorld({ words: ["--metrics-port", "0"] });
  const { client, registry, socket } = world;
  const gate = Promise.withResolvers<void>();
  const { layers } = registry.put("app:1", { layers: [bytesOf(300_000, 1)] });
  registry.behave = ({ path }): Behaviour =>
    path.endsWith(layers[0]?.digest ?? "") ? { until: gate.promise } : {};
  const image = { image: `${registry.host}/app:1` };
  const pulling = client.images.pullImage({ image, sandboxConfig: { metadata: { uid: "pod-1" } } });
  const stop = new AbortController();
  const phases: string[] = [];
  const followed = (async (): Promise<void> => {
    for await (const { pull } of client.pulls.watch({ follow: true }, { signal: stop.signal })) {
      phases.push(pull?.phase ?? "");
      if (pull?.phase === "done") return;
    }
  })();
  await pullsReach(world, 1, 1);

  const context = createMemoryContext({ now: Date.now });
  assert.equal(await run(["pulls", "--json", "--socket", socket], context), 0);
  const shown = JSON.parse(context.stdout.text) as Readonly<Record<string, unknown>>;
  assert.deepEqual([shown["image"], shown["podUid"]], [image.image, "pod-1"]);
  const table = createMemoryContext({ now: Date.now, columns: 120 });
  assert.equal(await run(["pulls", "--socket", socket], table), 0);
  assert.match(table.stdout.text, /IMAGE +PHASE.*\n.*app:1 +/);
  assert.match(await fetchText(world, "/metrics"), /^dray_cri_pulls 1$/m);

  const progress = fetchLine(world, "/progress");
  assert.equal((JSON.parse(await progress) as { image: string }).image, image.image);
  gate.resolve();
  await pulling;
  await followed;
  assert.equal(phases.at(-1), "done");
  const metrics = await fetchText(world, "/metrics");
  assert.match(metrics, /^dray_cri_pulls 0$/m);
  assert.match(metrics, /^dray_cri_calls_total\{method="PullImage",code="OK"\} 1$/m);
  assert.match(metrics, /^dray_cri_pull_bytes_count\{result="done"\} 1$/m);
  const later = createMemoryContext({ now: Date.now });
  assert.equal(await run(["pulls", "--socket", socket], later), 0);
  assert.equal(later.stdout.text, "");
  const nobody = createMemoryContext({ now: Date.now });
  assert.notEqual(await run(["pulls", "--socket", `${socket}.other`], nobody), 0);
  assert.match(nobody.stderr.text, /is dray cri running there/);
});

/** Resolves when so many pulls run, and one has as many bytes. */
async function pullsReach({ client }: CriWorld, bytes: number, count: number): Promise<void> {
  for (;;) {
    const running: bigint[] = [];
    for await (const { pull } of client.pulls.watch({})) running.push(pull?.bytes ?? 0n);
    const enough = bytes === 0 || running.some((one) => one >= BigInt(bytes));
    if (running.length === count && enough) return;
  }
}

async function fetchText({ metricsPort }: CriWorld, path: string): Promise<string> {
  return await (await fetch(`http://127.0.0.1:${metricsPort}${path}`)).text();
}

/** The first line of an answer that goes on. */
async function fetchLine({ metricsPort }: CriWorld, path: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port: metricsPort, path }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
        if (!text.includes("\n")) return;
        asked.destroy();
        resolve(text.split("\n", 1)[0] ?? "");
      });
    });
    asked.on("error", reject).end();
  });
}
