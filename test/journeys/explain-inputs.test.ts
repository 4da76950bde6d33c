/** Manifests as people have them: in other encodings, pasted from kubectl, half of them broken, or mistyped. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

import { run } from "../../src/cli/run.ts";
import { createMemoryContext } from "../../src/cli/testing.ts";

const POD = `apiVersion: v1
kind: Pod
metadata: { name: wéb }
spec:
  containers:
    - { name: a, image: "registry.example.com/shop/web:1" } # hé
`;

interface Told {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function setUp(
  t: TestContext,
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<(words: readonly string[], stdin?: string) => Promise<Told>> {
  const folder = await mkdtemp(join(tmpdir(), "dray-inputs-"));
  t.after(() => rm(folder, { recursive: true }));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(folder, name, ".."), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  return async (words, stdin = "") => {
    const env = { XDG_DATA_HOME: folder };
    const context = createMemoryContext({ cwd: folder, home: folder, now: Date.now, env, stdin });
    const code = await run(words, context);
    return { code, out: context.stdout.text, err: context.stderr.text };
  };
}

function utf16(text: string, order: "little" | "big"): Uint8Array {
  const bytes = Buffer.from(`\ufeff${text}`, "utf16le");
  return order === "little" ? bytes : bytes.swap16();
}

test("dray explain reads what Windows writes: marks, carriage returns, UTF-16", async (t) => {
  const plain = POD.replace("wéb", "web");
  const crlf = plain.replaceAll("\n", "\r\n");
  const dray = await setUp(t, {
    "crlf.yaml": crlf,
    "bom.YAML": `\ufeff${crlf}`,
    "little.yaml": utf16(crlf, "little"),
    "big.yml": utf16(plain, "big"),
  });
  for (const name of ["crlf.yaml", "bom.YAML", "little.yaml", "big.yml"]) {
    const { code, out, err } = await dray(["explain", "-q", "--no-network", name]);
    assert.equal(code, 0, err);
    assert.match(out, /^Pod default\/web \(/, name);
    assert.doesNotMatch(out, /Left out/, name);
  }
  const { out } = await dray(["explain", "-q", "--no-network", "."]);
  assert.equal(out.match(/Pod default\/web/g)?.length, 4, out);
});

test("dray explain fails for manifests that it can't read, and says what was pasted", async (t) => {
  const describe = `Name:             web\nNamespace:        shop\nContainers:\n  web:\n    Image:  nginx:1\nEvents:\n  Type  Reason\n`;
  const table =
    "NAME   READY   STATUS             RESTARTS   AGE\nweb    0/1     ImagePullBackOff   0          5m\n";
  const dray = await setUp(t, {
    "describe.txt": describe,
    "broken.yaml": POD.replace("spec:", "spec: ["),
    "folder/good.yaml": POD.replace("wéb", "web"),
    "folder/broken.yaml": POD.replace("spec:", "spec: ["),
    "mixed/good.yaml": POD.replace("wéb", "web"),
    "mixed/values.yaml": "image: { tag: 1 }\n",
    "mixed/template.yaml": "{{ if . }}\nreplicas: 1\n{{ end }}\n",
  });
  const explain = (...words: readonly string[]): Promise<Told> =>
    dray(["explain", "-q", "--no-network", ...words]);
  const described = await explain("describe.txt");
  assert.equal(described.code, 1);
  assert.match(described.out, /describe\.txt: this is what kubectl describe prints/);
  const tabled = await dray(["explain", "-"], table);
  assert.equal(tabled.code, 1);
  assert.match(tabled.out, /table of kubectl get/);
  assert.equal((await explain("broken.yaml")).code, 1);
  const folder = await explain("folder");
  assert.equal(folder.code, 1);
  assert.match(folder.out, /Pod default\/web/);
  assert.match(folder.out, /Left out: folder\/broken\.yaml/);
  // What lies beside manifests, and is none, is told and doesn't count.
  const mixed = await explain("mixed");
  assert.match(mixed.out, /Left out: mixed\/values\.yaml/);
  assert.equal(mixed.code, 0, mixed.out);
  assert.equal((await dray(["policy", "folder"])).code, 1);
  const judged = await dray(["policy", "mixed"]);
  assert.match(judged.err, /mixed\/values\.yaml/);
  assert.equal(judged.code, 0, judged.err);
});

test("a file that isn't there is no Pod", async (t) => {
  const dray = await setUp(t, {});
  for (const word of ["pod.yaml", "./manifests", "manifests/", "a.JSON"]) {
    const { code, err } = await dray(["explain", word]);
    assert.equal(code, 8, err);
    assert.match(err, /there is no such file or folder/);
  }
});

test("a folder that an option names has to be there", async (t) => {
  const dray = await setUp(t, { "pod.yaml": POD });
  for (const option of ["--hosts-dir", "--kubelet-root"]) {
    const { code, err } = await dray(["explain", "--no-network", option, "nowhere", "pod.yaml"]);
    assert.equal(code, 8);
    assert.match(err, /Cannot read "nowhere": there is no such folder/);
  }
});

test("dray pin and dray policy --fix write only what they could read to the letter", async (t) => {
  const latin = Buffer.from(POD.replace("wéb", "web"), "latin1");
  const dray = await setUp(t, { "latin.yaml": latin, "wide.yaml": utf16(POD, "little") });
  for (const words of [
    ["pin", "--check", "latin.yaml"],
    ["pin", "wide.yaml"],
    ["policy", "--fix", "--always-pull-images", "latin.yaml"],
  ]) {
    const { code, err } = await dray(words);
    assert.notEqual(code, 0, words.join(" "));
    assert.match(err, /it isn't UTF-8; save it in that encoding/);
  }
  const { code, out } = await dray(["policy", "latin.yaml"]);
  assert.equal(code, 0);
  assert.match(out, /Pod default\/web: admitted/);
});

test("a Pod of which a cluster says that its image doesn't come is no success where nobody is asked", async (t) => {
  const dray = await setUp(t, {});
  const status = `metadata: { name: web, uid: "1", creationTimestamp: "2026-01-05T11:00:00Z" }`;
  const waiting = `${POD.replace(/metadata:.*/, status)}status:
  containerStatuses:
    - { name: a, image: x, state: { waiting: { reason: REASON } } }
`;
  const exitFor = async (reason: string): Promise<number> =>
    (await dray(["explain", "-q", "--no-network", "-"], waiting.replace("REASON", reason))).code;
  assert.equal(await exitFor("ImagePullBackOff"), 1);
  assert.equal(await exitFor("ContainerCreating"), 0);
});

test("a Pod whose account isn't there, and that is wrong besides, is told of both", async (t) => {
  const dray = await setUp(t, {});
  const image = "registry.example.com/shop/web";
  const pod = `apiVersion: v1
kind: Pod
metadata: { name: web }
spec:
  serviceAccountName: robot
  containers:
    - { name: a, image: "${image}:1", imagePullPolicy: Sometimes }
    - { name: a, image: "${image}:2" }
`;
  const { code, out } = await dray(["explain", "-q", "--no-network", "--complete", "-"], pod);
  assert.equal(code, 1);
  assert.deepEqual(out.match(/^ {2}[A-Z_]+(?=:)/gm), ["  SERVICE_ACCOUNT_MISSING", "  POD_INVALID"], out);
  assert.match(out, /→ Change spec\.containers\[1\]\.name: Duplicate value: "a"/);
});

test("dray explain -n takes what names no namespace for that one's, as kubectl does, and no other's", async (t) => {
  const named = (name: string, namespace: string | undefined): string =>
    POD.replace(
      "name: wéb",
      namespace === undefined ? `name: ${name}` : `name: ${name}, namespace: ${namespace}`,
    ).replace("spec:", "spec:\n  serviceAccountName: robot\n  imagePullSecrets: [{ name: gone }]");
  const around = ["ServiceAccount", "Secret"].map(
    (kind) => `apiVersion: v1\nkind: ${kind}\nmetadata: { name: ${kind === "Secret" ? "gone" : "robot"} }\n`,
  );
  const files = [named("bare", undefined), named("own", "shop"), named("other", "far"), ...around].join(
    "---\n",
  );
  const dray = await setUp(t, { "all.yaml": files });
  const { code, out, err } = await dray(["explain", "--no-network", "--complete", "-n", "shop", "all.yaml"]);
  assert.equal(code, 0, err);
  assert.deepEqual(out.match(/^Pod \S+/gm), ["Pod shop/bare", "Pod shop/own"]);
  assert.equal(out.match(/ServiceAccount robot: found/g)?.length, 2, out);
  assert.doesNotMatch(out, /SECRET_MISSING/);
  const none = await dray(["explain", "--no-network", "-n", "shop", "-"], named("other", "far"));
  assert.equal(none.code, 2);
  assert.match(none.err, /nothing that makes Pods of namespace "shop" in "-"/);
});

test("dray policy -o yaml says beside the manifests what is refused", async (t) => {
  const dray = await setUp(t, {});
  const latest = POD.replace("wéb", "web").replace("web:1", "web:latest");
  const { code, out, err } = await dray(["policy", "--forbid-latest", "-o", "yaml", "-"], latest);
  assert.equal(code, 1);
  assert.equal(out, latest);
  assert.match(err, /Pod default\/web: refused\n {2}refused: .*has the tag latest/);
});

test("dray pin --check fails for what it can't read, when that was named or holds images", async (t) => {
  const folded = `kind: Pod\nspec:\n  containers:\n    - image: >-\n        registry.example.com/shop/web:1\n`;
  const digest = `registry.example.com/shop/web@sha256:${"1".repeat(64)}`;
  const dray = await setUp(t, {
    "folded.yaml": folded,
    "template.yaml": "{{ if . }}\nkind: Pod\n{{ end }}\n",
    "mixed/pod.yaml": `${folded}    - image: ${digest}\n`,
    "chart/template.yaml": "{{ if . }}\nkind: Pod\n{{ end }}\n",
  });
  const codes: Record<string, number> = {};
  for (const name of ["folded.yaml", "template.yaml", "mixed", "chart"]) {
    codes[name] = (await dray(["pin", "--check", name])).code;
  }
  assert.deepEqual(codes, { "folded.yaml": 1, "template.yaml": 1, mixed: 1, chart: 0 });
});
