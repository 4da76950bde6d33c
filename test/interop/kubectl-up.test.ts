/** Stock kubectl drives `dray up`: what the "Images" page of Kubernetes' documentation tells its readers to do. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { setUp, type World } from "../journeys/up-cluster.ts";
import { findPeer, missingPeers } from "./peers.ts";

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

type Kubectl = (...argv: readonly string[]) => Promise<Ran>;

async function kubectlFor(world: World, kubeconfig: string): Promise<Kubectl> {
  const program = findPeer("kubectl");
  assert.ok(program !== undefined);
  const env = { ...process.env, KUBECONFIG: kubeconfig, HOME: world.folder };
  return (...argv) =>
    new Promise((resolve, reject) => {
      const child = spawn(program, argv, { cwd: world.folder, env, stdio: ["ignore", "pipe", "pipe"] });
      const out = { stdout: "", stderr: "" };
      child.stdout.on("data", (chunk: Buffer) => (out.stdout += chunk.toString()));
      child.stderr.on("data", (chunk: Buffer) => (out.stderr += chunk.toString()));
      child.on("error", reject);
      child.on("close", (code) => resolve({ code, ...out }));
    });
}

const skip = missingPeers("kubectl");
const LONG = { skip, timeout: 480_000 };

function secretOf(name: string, registry: string, password: string): readonly string[] {
  const login = ["--docker-username=me", `--docker-password=${password}`, "--docker-email=me@example.com"];
  return ["create", "secret", "docker-registry", name, `--docker-server=${registry}`, ...login];
}

test(
  "a Secret made by kubectl lets a private image in, a wrong one shows in get and describe, and mending it helps",
  LONG,
  async (t) => {
    const world = await setUp(t);
    const { kubeconfig } = await world.up();
    const kubectl = await kubectlFor(world, kubeconfig);
    const { registry, image, folder } = world;
    assert.equal(
      (await kubectl(...secretOf("regcred", registry, "me-pw"))).stdout,
      "secret/regcred created\n",
    );
    await writeFile(
      join(folder, "pod.yaml"),
      `apiVersion: v1
kind: Pod
metadata:
  name: private-reg
spec:
  containers:
  - name: private-reg-container
    image: ${image}
  imagePullSecrets:
  - name: regcred
`,
    );
    assert.equal((await kubectl("apply", "-f", "pod.yaml")).stdout, "pod/private-reg created\n");
    const ready = await kubectl("wait", "--for=condition=Ready", "pod/private-reg", "--timeout=90s");
    assert.equal(ready.stdout, "pod/private-reg condition met\n", ready.stderr);
    assert.match((await kubectl("get", "pods")).stdout, /^private-reg +1\/1 +Running +0 +\S+$/m);

    await kubectl(...secretOf("wrong", registry, "nonsense"));
    const overrides = JSON.stringify({ spec: { imagePullSecrets: [{ name: "wrong" }] } });
    const denied = await kubectl("run", "denied", `--image=${image}`, `--overrides=${overrides}`);
    assert.equal(denied.stdout, "pod/denied created\n", denied.stderr);
    const waits = "--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=";
    const err = await kubectl("wait", `${waits}ErrImagePull`, "pod/denied", "--timeout=90s");
    assert.equal(err.code, 0, err.stderr);
    const off = await kubectl("wait", `${waits}ImagePullBackOff`, "pod/denied", "--timeout=90s");
    assert.equal(off.code, 0, off.stderr);
    assert.match(
      (await kubectl("get", "pods")).stdout,
      /^denied +0\/1 +(?:ErrImagePull|ImagePullBackOff) +0 /m,
    );
    const described = (await kubectl("describe", "pod", "denied")).stdout;
    assert.match(described, /Reason: +(?:ErrImagePull|ImagePullBackOff)/);
    assert.match(described, /Warning +Failed .* Failed to pull image/);
    assert.doesNotMatch(described, /nonsense/);

    await kubectl("delete", "secret", "wrong");
    await kubectl(...secretOf("wrong", registry, "me-pw"));
    const mended = await kubectl("wait", "--for=condition=Ready", "pod/denied", "--timeout=90s");
    assert.equal(mended.code, 0, mended.stderr);
  },
);

test(
  "a Docker file becomes a Secret, the default ServiceAccount hands it on, and a kustomization brings both",
  LONG,
  async (t) => {
    const world = await setUp(t);
    const { kubeconfig } = await world.up();
    const kubectl = await kubectlFor(world, kubeconfig);
    const { registry, image, folder } = world;
    const login = Buffer.from("me:me-pw").toString("base64");
    await writeFile(join(folder, "config.json"), JSON.stringify({ auths: { [registry]: { auth: login } } }));
    const made = await kubectl(
      "create",
      "secret",
      "generic",
      "fromfile",
      "--from-file=.dockerconfigjson=config.json",
      "--type=kubernetes.io/dockerconfigjson",
    );
    assert.equal(made.stdout, "secret/fromfile created\n", made.stderr);
    const patch = '{"imagePullSecrets": [{"name": "fromfile"}]}';
    const patched = await kubectl("patch", "serviceaccount", "default", "-p", patch);
    assert.equal(patched.stdout, "serviceaccount/default patched\n", patched.stderr);
    assert.equal((await kubectl("run", "web", `--image=${image}`)).code, 0);
    const names = await kubectl("get", "pod", "web", "-o=jsonpath={.spec.imagePullSecrets[0].name}{'\\n'}");
    assert.equal(names.stdout, "fromfile\n");
    assert.equal((await kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=90s")).code, 0);

    await mkdir(join(folder, "kust"));
    await writeFile(
      join(folder, "kust", "config.json"),
      JSON.stringify({ auths: { [registry]: { auth: login } } }),
    );
    await writeFile(
      join(folder, "kust", "kustomization.yaml"),
      "secretGenerator:\n- name: kregcred\n  type: kubernetes.io/dockerconfigjson\n  files: [.dockerconfigjson=config.json]\nresources: [pod.yaml]\n",
    );
    await writeFile(
      join(folder, "kust", "pod.yaml"),
      `apiVersion: v1\nkind: Pod\nmetadata: {name: kustomized}\nspec:\n  imagePullSecrets: [{name: kregcred}]\n  containers: [{name: c, image: "${image}"}]\n`,
    );
    const applied = await kubectl("apply", "-k", "kust");
    assert.match(
      applied.stdout,
      /^secret\/kregcred-[0-9a-z]{10} created\npod\/kustomized created\n$/,
      applied.stderr,
    );
    assert.equal((await kubectl("wait", "--for=condition=Ready", "pod/kustomized", "--timeout=90s")).code, 0);
  },
);

test("set image, a Deployment's rollout and delete do what they say", LONG, async (t) => {
  const world = await setUp(t);
  const { kubeconfig } = await world.up();
  const kubectl = await kubectlFor(world, kubeconfig);
  const { registry, image } = world;
  await kubectl(...secretOf("regcred", registry, "me-pw"));
  await kubectl("patch", "serviceaccount", "default", "-p", '{"imagePullSecrets": [{"name": "regcred"}]}');
  assert.equal((await kubectl("create", "deployment", "dep", `--image=${registry}/me/app:none`)).code, 0);
  const stuck = await kubectl("rollout", "status", "deployment/dep", "--timeout=2s");
  assert.equal(stuck.code, 1);
  const set = await kubectl("set", "image", "deployment/dep", `app=${image}`);
  assert.equal(set.stdout, "deployment.apps/dep image updated\n", set.stderr);
  const done = await kubectl("rollout", "status", "deployment/dep", "--timeout=90s");
  assert.match(done.stdout, /deployment "dep" successfully rolled out\n$/, done.stderr);
  assert.match((await kubectl("get", "deploy")).stdout, /^dep +1\/1 +1 +1 /m);
  const gone = await kubectl("delete", "deployment", "dep");
  assert.equal(gone.stdout, 'deployment.apps "dep" deleted from default namespace\n', gone.stderr);
  const none = await kubectl("wait", "--for=delete", "pod", "-l", "app=dep", "--timeout=90s");
  assert.equal(none.code, 0, none.stderr);
});
