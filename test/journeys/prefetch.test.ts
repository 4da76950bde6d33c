/** `dray prefetch` through dray's own image service, from a registry that wants credentials. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";

import { build, dray, type Ran, serve } from "./prefetch-world.ts";
import { setUp } from "./up-cluster.ts";

interface Told {
  readonly endpoint: { readonly runtime: string };
  readonly budget: {
    readonly transfer: number;
    readonly present: number;
    readonly verdict: string;
    readonly limits: readonly { readonly limit: string; readonly excess: number }[];
    readonly unknown: readonly { readonly image: string; readonly why: string }[];
  };
  readonly images: readonly {
    readonly image: string;
    readonly state: string;
    readonly size: number;
    readonly reason: string | null;
    readonly message: string | null;
    readonly pinned: boolean | null;
    readonly attempts: readonly { readonly workload: string | null; readonly reason: string | null }[];
  }[];
}

const secret = (registry: string, password: string, name = "pull", namespace = "default"): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace },
    type: "kubernetes.io/dockerconfigjson",
    stringData: {
      ".dockerconfigjson": JSON.stringify({ auths: { [registry]: { username: "me", password } } }),
    },
  });

const pod = (name: string, image: string, spec: object = {}): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: { containers: [{ name: "app", image }], ...spec },
  });

/** Without what this machine has for a kubelet. */
const NODE = ["--kubelet-root", "/nonexistent", "--plain-http"];
const ALONE = [...NODE, "--keep-free", "0"];

test(
  "images of manifests come with their Pods' credentials, and failures say why",
  { timeout: 300_000 },
  async (t) => {
    const { registry, image, folder } = await setUp(t);
    const { socket } = await serve(t, folder, "--plain-http");
    const prefetch = async (...words: readonly string[]): Promise<Ran & { readonly told: Told }> => {
      const ran = await dray(folder, ["prefetch", "--socket", socket, ...ALONE, "--json", ...words]);
      assert.ok(ran.out !== "", ran.err);
      return { ...ran, told: JSON.parse(ran.out) as Told };
    };
    const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "robot" } };
    const manifests = [
      secret(registry, "me-pw"),
      secret(registry, "guessed", "wrong"),
      JSON.stringify({ ...account, imagePullSecrets: [{ name: "pull" }] }),
      pod("by-account", image, { serviceAccountName: "robot" }),
      pod("refused", image, { imagePullSecrets: [{ name: "wrong" }] }),
      pod("gone", `${registry}/me/nothing:1`, { imagePullSecrets: [{ name: "pull" }, { name: "missing" }] }),
    ];
    await writeFile(join(folder, "all.yaml"), manifests.join("\n---\n"));

    const planned = await prefetch("-f", "all.yaml", "--dry-run");
    assert.equal(planned.code, 0);
    assert.deepEqual(
      planned.told.images.map(({ state }) => state),
      ["absent", "absent"],
    );
    assert.ok(planned.told.budget.transfer > 100);
    assert.deepEqual(
      planned.told.budget.unknown.map((one) => one.image),
      [`${registry}/me/nothing:1`],
    );

    const { code, told, err } = await prefetch("-f", "all.yaml", "docker.io/Upper");
    assert.equal(code, 1);
    assert.equal(told.endpoint.runtime, "dray");
    assert.match(err, /Pod default\/gone: the Secret missing is left out/);
    const [upper, came, gone] = told.images;
    assert.equal(upper?.reason, "InvalidImageName");
    assert.equal(came?.state, "pulled");
    // Whose credentials come first decides nothing but the order.
    assert.deepEqual(came.attempts, [{ workload: "Pod default/by-account", reason: null, message: null }]);
    assert.deepEqual([gone?.state, gone?.reason], ["failed", "ErrImagePull"]);
    assert.match(gone?.message ?? "", /^rpc error: code = NotFound desc = /);
    for (const text of [err, JSON.stringify(told)]) assert.ok(!/me-pw|guessed/.test(text));

    const again = await prefetch("-f", "all.yaml", "--dry-run");
    assert.deepEqual(
      again.told.images.map(({ state }) => state),
      ["present", "absent"],
    );
  },
);

test("one Pod's broken credentials don't keep another's image away", { timeout: 300_000 }, async (t) => {
  const { registry, image, folder } = await setUp(t);
  const { socket } = await serve(t, folder, "--plain-http");
  const input = [
    pod("refused", image, { imagePullSecrets: [{ name: "wrong" }] }),
    pod("right", image, { imagePullSecrets: [{ name: "pull" }] }),
    secret(registry, "me-pw"),
    secret(registry, "guessed", "wrong"),
  ].join("\n---\n");
  const ran = await dray(folder, ["prefetch", "--socket", socket, ...ALONE, "-f", "-"], { stdin: input });
  assert.equal(ran.code, 0, ran.err);
  assert.match(ran.out, /me\/app:1 {2}pulled {2}\S+ \S+ in /);

  const alone = await dray(folder, ["prefetch", "--socket", socket, ...ALONE, "--always", "-f", "-"], {
    stdin: input
      .split("\n---\n")
      .slice(0, 1)
      .concat(secret(registry, "guessed", "wrong"))
      .join("\n---\n"),
  });
  assert.equal(alone.code, 1);
  assert.match(
    alone.out,
    /me\/app:1 {2}failed\n {2}Pod default\/refused: ErrImagePull: Cannot read manifest "1" of .*401/,
  );
});

test(
  "a budget refuses everything before the first pull, and says by how much",
  { timeout: 300_000 },
  async (t) => {
    const { registry, folder } = await setUp(t);
    const { socket, dataDir } = await serve(t, folder, "--plain-http");
    await mkdir(join(folder, "big"));
    await writeFile(join(folder, "big", "file"), randomBytes(300_000));
    const [one, two] = [`${registry}/me/one:1`, `${registry}/me/two:1`];
    await build(folder, one, "big");
    await build(folder, two, "big");
    await writeFile(
      join(folder, "config.json"),
      JSON.stringify({ auths: { [registry]: { auth: Buffer.from("me:me-pw").toString("base64") } } }),
    );
    await writeFile(join(folder, "list"), `# what it takes\n${one}\n\n${two} # the same\n`);
    const words = ["prefetch", "--socket", socket, ...NODE, "--node-config", "config.json"];
    const prefetch = async (...more: readonly string[]): Promise<Ran> =>
      await dray(folder, [...words, "--keep-free", "0", "--images-from", "list", ...more]);

    const refused = await prefetch("--max-bytes", "200k", "--json");
    assert.equal(refused.code, 8, refused.err);
    assert.match(refused.err, /"code":"BUDGET_EXCEEDED".*--max-bytes allows 200 kB: 10\d kB too much/);
    assert.match(refused.err, /nothing was pulled/);
    assert.equal((await dray(folder, ["images", "--data-dir", dataDir, "--json"])).out, "");

    const full = await dray(folder, [...words, "--keep-free", "999T", one]);
    assert.equal(full.code, 8);
    assert.match(full.err, /--keep-free allows 0 B: 30\d kB too much/);

    const planned = await prefetch("--max-bytes", "200k", "--dry-run");
    assert.equal(planned.code, 8);
    assert.match(planned.err, /Doesn't fit: /);

    const came = await prefetch("--max-bytes", "310k", "--json");
    assert.equal(came.code, 0, came.err);
    const told = JSON.parse(came.out) as Told;
    assert.deepEqual(
      told.images.map(({ state }) => state),
      ["pulled", "pulled"],
    );
    assert.ok(told.budget.transfer > 300_000 && told.budget.transfer < 310_000, "one layer for both");

    const three = `${registry}/me/three:1`;
    await build(folder, three, "big");
    const shared = await dray(folder, [...words, "--keep-free", "0", "--max-bytes", "2k", "--json", three]);
    assert.equal(shared.code, 0, shared.err);
    assert.ok((JSON.parse(shared.out) as Told).budget.present > 300_000, "its layer is here already");
  },
);

test("pins are kept on disk, told over the CRI, and can be taken back", { timeout: 300_000 }, async (t) => {
  const { registry, image, folder } = await setUp(t);
  const first = await serve(t, folder, "--plain-http");
  await writeFile(
    join(folder, "config.json"),
    JSON.stringify({ auths: { [registry]: { auth: Buffer.from("me:me-pw").toString("base64") } } }),
  );
  const node = ["--node-config", "config.json", ...ALONE];
  const came = await dray(folder, ["prefetch", "--socket", first.socket, ...node, "--pin", image]);
  assert.equal(came.code, 0, came.err);
  assert.match(came.out, / pinned\n$/);
  const pinned = async (socket: string): Promise<readonly (boolean | undefined)[]> => {
    const { EndpointImages, openCriClient } = await import("../../src/cri/index.ts");
    using client = openCriClient(socket);
    return (await new EndpointImages(client).list()).map((one) => one.pinned);
  };
  assert.deepEqual(await pinned(first.socket), [true]);
  await first.stop();
  const second = await serve(t, folder, "--plain-http");
  assert.deepEqual(await pinned(second.socket), [true], "after a restart");
  const listed = await dray(folder, ["prefetch", "--list-pins", "--data-dir", second.dataDir]);
  assert.equal(listed.out, `${image}\n`);
  const unpinned = await dray(folder, ["prefetch", "--unpin", "--socket", second.socket, image]);
  assert.deepEqual([unpinned.code, unpinned.out], [0, `${image}  unpinned\n`]);
  assert.deepEqual(await pinned(second.socket), [false]);
  const twice = await dray(folder, ["prefetch", "--unpin", "--data-dir", second.dataDir, image]);
  assert.deepEqual([twice.code, twice.out], [0, `${image}  was not pinned\n`]);
});

test(
  "on a terminal each image under way has a line, and the results come after them",
  { timeout: 300_000 },
  async (t) => {
    const { registry, image, folder } = await setUp(t);
    const { socket } = await serve(t, folder, "--plain-http");
    await writeFile(join(folder, "pull.json"), secret(registry, "me-pw"));
    await writeFile(join(folder, "pod.json"), pod("web", image, { imagePullSecrets: [{ name: "pull" }] }));
    const words = ["prefetch", "--socket", socket, ...ALONE, "-f", "pull.json", "-f", "pod.json"];
    const ran = await dray(folder, words, { isTTY: true, columns: 100 });
    assert.equal(ran.code, 0, ran.err);
    assert.match(ran.err, /To fetch: \d+ B, about \d+ B on disk/);
    assert.match(ran.err, /\[\?25l.*me\/app:1 .* done/s);
    assert.match(ran.out, /^\S+me\/app:1 {2}pulled /);
    const silent = await dray(folder, [...words, "--quiet"], { isTTY: true, columns: 100 });
    assert.deepEqual([silent.code, silent.err], [0, ""]);
  },
);

test("Ctrl-C ends what is under way, in the service, too", { timeout: 300_000 }, async (t) => {
  const { folder } = await setUp(t);
  const { socket } = await serve(t, folder, "--plain-http");
  const controller = new AbortController();
  const gone = Promise.withResolvers<void>();
  const registry = createServer((request) => {
    // Asked by the service alone, since sizes aren't checked.
    request.once("close", () => gone.resolve());
    controller.abort(new Error("Ctrl-C"));
  });
  await new Promise<void>((resolve) => registry.listen(0, "127.0.0.1", resolve));
  t.after(() => registry.close());
  const image = `localhost:${(registry.address() as AddressInfo).port}/slow:1`;
  const words = ["prefetch", "--socket", socket, ...ALONE, "--no-check", image];
  const ran = await dray(folder, words, { signal: controller.signal });
  assert.deepEqual([ran.code, ran.out], [130, ""]);
  await gone.promise;
});

test("a socket that isn't there, or isn't a CRI's, is told of in one sentence", async (t) => {
  const { folder } = await setUp(t);
  const missing = await dray(folder, ["prefetch", "--socket", "nowhere.sock", "busybox"]);
  assert.equal(missing.code, 8);
  assert.match(missing.err, /^dray: Cannot use the CRI socket "[^"]+nowhere\.sock": .*ENOENT/);
  const tcp = await dray(folder, ["prefetch", "--image-service-endpoint", "tcp://127.0.0.1:1", "busybox"]);
  assert.equal(tcp.code, 2);
  assert.equal((await dray(folder, ["prefetch"])).code, 2);
});
