/** Out of a registry into docker-registry's folder, and back: everything arrives, and damage is told. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";

import { buildImage } from "../../src/build/index.ts";
import { ConfiguredHosts, RegistryClient } from "../../src/client/index.ts";
import { StaticSource } from "../../src/credentials/index.ts";
import { digestOf, MEDIA_TYPES } from "../../src/oci/index.ts";
import { dray, makeWorkFolder, startRegistry, type RunningRegistry } from "./registry-command.ts";

interface Ends {
  readonly one: RunningRegistry;
  readonly two: RunningRegistry;
  readonly folders: { readonly one: string; readonly two: string; readonly layout: string };
}

async function openEnds(t: TestContext): Promise<Ends> {
  const [one, two] = [makeWorkFolder(t), makeWorkFolder(t)];
  const layout = join(makeWorkFolder(t), "docker-registry");
  const folders = { one, two, layout };
  return {
    one: await startRegistry(t, one, undefined),
    two: await startRegistry(t, two, undefined),
    folders,
  };
}

async function pushSamples({ port }: RunningRegistry, folder: string, t: TestContext): Promise<void> {
  const client = new RegistryClient({
    hosts: new ConfiguredHosts({ defaultScheme: "http" }),
    credentials: new StaticSource([]),
  });
  t.after(() => client.close());
  for (const name of ["team/app", "team/app/deeper", "other"]) {
    writeFileSync(join(folder, "file"), `for ${name}`);
    const to = client.repository(`127.0.0.1:${port}`, name);
    await buildImage({ to, as: "1", context: folder, copy: [{ from: "file" }] });
  }
  const at = `http://127.0.0.1:${port}/v2/team/app/manifests/`;
  const image = await fetch(`${at}1`);
  const document = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociIndex,
    manifests: [
      {
        mediaType: image.headers.get("content-type"),
        digest: image.headers.get("docker-content-digest"),
        size: (await image.arrayBuffer()).byteLength,
      },
    ],
  };
  const inner = JSON.stringify(document);
  const outer = JSON.stringify({
    ...document,
    manifests: [{ mediaType: MEDIA_TYPES.ociIndex, digest: digestOf(inner), size: inner.length }],
    subject: document.manifests[0],
    artifactType: "application/vnd.test",
  });
  const headers = { "content-type": MEDIA_TYPES.ociIndex };
  for (const [tag, body] of [
    ["inner", inner],
    ["outer", outer],
    ["2.0", outer],
  ] as const) {
    assert.equal((await fetch(at + tag, { method: "PUT", body, headers })).status, 201);
  }
}

/** An image with a layer that may lie elsewhere, and lies here, too; and maybe with one that doesn't. */
async function pushForeign({ port }: RunningRegistry, missing: readonly string[]): Promise<void> {
  const at = `http://127.0.0.1:${port}/v2/foreign`;
  const push = async (text: string, mediaType: string): Promise<object> => {
    const digest = digestOf(text);
    const answer = await fetch(`${at}/blobs/uploads/?digest=${digest}`, { method: "POST", body: text });
    assert.equal(answer.status, 201);
    return { mediaType, digest, size: text.length };
  };
  const absent = missing.map((text) => ({
    mediaType: MEDIA_TYPES.ociLayer,
    digest: digestOf(text),
    size: text.length,
  }));
  const body = JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: await push("{}", MEDIA_TYPES.ociConfig),
    layers: [await push("foreign", "application/vnd.oci.image.layer.nondistributable.v1.tar"), ...absent],
  });
  const headers = { "content-type": MEDIA_TYPES.ociManifest };
  assert.equal((await fetch(`${at}/manifests/1`, { method: "PUT", body, headers })).status, 201);
}

/** All that can be seen of a registry. */
async function lookAt({ port }: RunningRegistry): Promise<unknown> {
  const at = `http://127.0.0.1:${port}/v2/`;
  const { repositories } = (await (await fetch(`${at}_catalog`)).json()) as { repositories: string[] };
  const seen: Record<string, unknown> = {};
  for (const name of repositories) {
    const { tags } = (await (await fetch(`${at}${name}/tags/list`)).json()) as { tags: string[] };
    for (const tag of tags) {
      const answer = await fetch(`${at}${name}/manifests/${tag}`);
      const text = await answer.text();
      seen[`${name}:${tag}`] = [answer.headers.get("content-type"), text];
      const { layers = [], config } = JSON.parse(text) as {
        layers?: { digest: string }[];
        config?: { digest: string };
      };
      for (const digest of [...layers.map((layer) => layer.digest), ...(config ? [config.digest] : [])]) {
        seen[`${name} ${digest}`] = digestOf(
          Buffer.from(await (await fetch(`${at}${name}/blobs/${digest}`)).arrayBuffer()),
        );
      }
      const digest = answer.headers.get("docker-content-digest");
      seen[`${name}:${tag} referrers`] = await (await fetch(`${at}${name}/referrers/${digest}`)).json();
    }
  }
  return seen;
}

test("what goes out comes back: repositories within others, indexes of indexes, referrers", async (t) => {
  const { one, two, folders } = await openEnds(t);
  await pushSamples(one, folders.one, t);
  const exported = await dray(folders.one, ["registry", "export", folders.layout]);
  assert.equal(exported.code, 0, exported.stderr);
  assert.match(exported.stdout, /^Exported 3 repositories: 5 manifests, 6 tags, /);
  const imported = await dray(folders.two, ["registry", "import", folders.layout]);
  assert.equal(imported.code, 0, imported.stderr);
  assert.match(imported.stdout, /^Imported 3 repositories: 5 manifests, 6 tags, /);
  assert.deepEqual(await lookAt(two), await lookAt(one));
  const again = await dray(folders.two, ["registry", "import", join(folders.layout, "docker/registry/v2")]);
  assert.equal(again.code, 0);
  assert.equal((await dray(folders.one, ["registry", "export", folders.layout])).code, 0);
  assert.deepEqual(await lookAt(two), await lookAt(one));
  const checked = await dray(folders.two, ["registry", "check"]);
  assert.match(checked.stdout, /0 faults/);
});

test("layers that may lie elsewhere, and lie here, come along and are no garbage afterwards", async (t) => {
  const { one, two, folders } = await openEnds(t);
  await pushForeign(one, []);
  assert.equal((await dray(folders.one, ["registry", "export", folders.layout])).code, 0);
  assert.equal((await dray(folders.two, ["registry", "import", folders.layout])).code, 0);
  assert.match((await dray(folders.two, ["registry", "check"])).stdout, /: 0 faults/);
  assert.equal((await dray(folders.two, ["registry", "gc", "--grace", "0"])).code, 0);
  assert.deepEqual(await lookAt(two), await lookAt(one));
});

test("a tag that moved here since the last import stays where it is, and is told", async (t) => {
  const { one, two, folders } = await openEnds(t);
  await pushSamples(one, folders.one, t);
  await dray(folders.one, ["registry", "export", folders.layout]);
  assert.equal((await dray(folders.two, ["registry", "import", folders.layout])).code, 0);
  const at = `http://127.0.0.1:${two.port}/v2/team/app/manifests/`;
  const body = JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [] });
  const headers = { "content-type": MEDIA_TYPES.ociIndex };
  assert.equal((await fetch(`${at}outer`, { method: "PUT", body, headers })).status, 201);
  const again = await dray(folders.two, ["registry", "import", folders.layout]);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /^dray: Left out of "team\/app": tag outer: it is here already and [^\n]+\n$/);
  assert.match(again.stdout, /^Imported 3 repositories: 5 manifests, 5 tags, /);
  assert.equal(await (await fetch(`${at}outer`)).text(), body);
  assert.equal((await fetch(`${at}2.0`)).status, 200);
});

test("manifests whose parts are missing come along where the configuration takes them", async (t) => {
  const folder = makeWorkFolder(t);
  const layout = join(makeWorkFolder(t), "docker-registry");
  const one = await startRegistry(t, folder, "storage: { sparse: true }\n");
  await pushForeign(one, ["nowhere"]);
  await dray(folder, ["registry", "export", layout]);
  const take = async (...options: readonly string[]): Promise<number> =>
    (await dray(makeWorkFolder(t), ["registry", "import", layout, ...options])).code;
  assert.equal(await take(), 1);
  assert.equal(await take("--sparse"), 0);
  assert.equal(await take("--config", join(folder, "registry.yaml")), 0);
});

test("a part can be moved by the names of repositories", async (t) => {
  const { one, two, folders } = await openEnds(t);
  await pushSamples(one, folders.one, t);
  await dray(folders.one, ["registry", "export", folders.layout, "--repository", "team/**"]);
  await dray(folders.two, ["registry", "import", folders.layout, "--repository", "team/app/*"]);
  const catalog = await (await fetch(`http://127.0.0.1:${two.port}/v2/_catalog`)).json();
  assert.deepEqual(catalog, { repositories: ["team/app/deeper"] });
});

test("damage stays out, with what leads to it, and is told", async (t) => {
  const { one, two, folders } = await openEnds(t);
  await pushSamples(one, folders.one, t);
  await dray(folders.one, ["registry", "export", folders.layout]);
  const root = join(folders.layout, "docker/registry/v2");
  const image = await fetch(`http://127.0.0.1:${one.port}/v2/other/manifests/1`);
  const { layers } = (await image.json()) as { layers: { digest: string }[] };
  const hexOf = (digest: string | undefined | null): string => (digest ?? "").replace("sha256:", "");
  const hex = hexOf(layers[0]?.digest);
  const data = join(root, "blobs/sha256", hex.slice(0, 2), hex, "data");
  const bytes = readFileSync(data);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  writeFileSync(data, bytes);
  const revisions = join(root, "repositories/team/app/deeper/_manifests/revisions/sha256");
  rmSync(join(revisions, readdirSync(revisions)[0] ?? "", "link"));
  const strange = join(root, "repositories/team/app/_manifests/tags/strange/current/link");
  mkdirSync(dirname(strange), { recursive: true });
  writeFileSync(strange, "nonsense");
  const imported = await dray(folders.two, ["registry", "import", folders.layout]);
  assert.equal(imported.code, 1);
  assert.match(
    imported.stderr,
    new RegExp(`"other": sha256:${hex}: its bytes are not what its digest says\n`),
  );
  assert.match(imported.stderr, /"other": manifest sha256:\S+: it names content that is not there: sha256:/);
  assert.match(imported.stderr, /"other": tag 1: there is no manifest sha256:\S+ that could be taken\n/);
  assert.match(imported.stderr, /"team\/app\/deeper": tag 1: there is no manifest/);
  assert.match(imported.stderr, /"team\/app": tag strange: its link holds no digest\n/);
  const tags = await (await fetch(`http://127.0.0.1:${two.port}/v2/team/app/tags/list`)).json();
  assert.deepEqual((tags as { tags: string[] }).tags, ["1", "2.0", "inner", "outer"]);
  assert.equal((await fetch(`http://127.0.0.1:${two.port}/v2/other/manifests/1`)).status, 404);
  const nothing = await dray(folders.two, ["registry", "import", folders.one]);
  assert.equal(nothing.code, 8);
  assert.match(nothing.stderr, /it is no docker-registry's folder/);
});
