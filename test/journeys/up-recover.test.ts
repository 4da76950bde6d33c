/** `dray up --backoff recover`: what was mended is tried at once, not when the back-off is over. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

import { authorize } from "../../examples/private-registry/authorize.ts";
import { run } from "../../src/cli/run.ts";
import { createMemoryContext } from "../../src/cli/testing.ts";
import { serveRegistry } from "../../src/registry/index.ts";

interface World {
  readonly image: string;
  readonly registry: string;
  readonly write: (name: string, text: string) => Promise<void>;
  /** Starts `dray up`; resolves with what finds its first line from now on that holds all these words. */
  readonly up: (...words: readonly string[]) => (...wanted: readonly string[]) => Promise<string>;
}

async function setUp(t: TestContext): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "dray-recover-"));
  const controller = new AbortController();
  const running: Promise<number>[] = [];
  const served = await serveRegistry({ dir: join(folder, "registry"), port: 0, authorize });
  t.after(async () => {
    controller.abort();
    await Promise.all(running);
    await served.close();
    await rm(folder, { recursive: true });
  });
  const registry = `localhost:${served.port}`;
  const image = `${registry}/me/app:1`;
  for (const name of ["app", "pods", "bin"]) await mkdir(join(folder, name));
  await writeFile(join(folder, "app", "file"), "text");
  // The node's time stands still, so that no back-off ends by itself.
  const begin = Date.now();
  const process = { cwd: folder, home: folder, now: () => begin };
  const env = { XDG_DATA_HOME: join(folder, "data"), HOME: folder };
  const builder = createMemoryContext({ ...process, env: { ...env, DRAY_PASSWORD: "builder-pw" } });
  const built = await run(["build", "--username", "builder", "--tag", `docker://${image}`, "app"], builder);
  assert.equal(built, 0, builder.stderr.text);
  const up: World["up"] = (...words) => {
    const looks = new Set<() => void>();
    const onWrite = (): void => looks.forEach((look) => look());
    const context = createMemoryContext({ ...process, env, signal: controller.signal, onWrite });
    const ended = run(["up", "--no-registry", ...words], context);
    running.push(ended);
    return (...wanted) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const line = context.stdout.text
            .split("\n")
            .find((text) => wanted.every((word) => text.includes(word)));
          if (line === undefined) return;
          looks.delete(look);
          resolve(line);
        };
        looks.add(look);
        look();
        void ended.then(() => reject(new Error(context.stdout.text + context.stderr.text)));
      });
  };
  return { image, registry, up, write: (name, text) => writeFile(join(folder, name), text, { mode: 0o755 }) };
}

function auths(registry: string, password: string): string {
  return JSON.stringify({ auths: { [registry]: { username: "me", password } } });
}

function pod(name: string, image: string, secret = ""): string {
  const secrets = secret === "" ? "" : `imagePullSecrets: [{name: ${secret}}], `;
  return `{apiVersion: v1, kind: Pod, metadata: {name: ${name}}, spec: {${secrets}containers: [{name: c, image: '${image}'}]}}`;
}

const PATIENCE = { timeout: 240_000 };

test("a Secret that is mended, or comes, ends the back-off of the Pods that name it", PATIENCE, async (t) => {
  const { image, registry, up, write } = await setUp(t);
  const secret = (name: string, password: string): string =>
    `{apiVersion: v1, kind: Secret, metadata: {name: ${name}}, type: kubernetes.io/dockerconfigjson, stringData: {.dockerconfigjson: '${auths(registry, password)}'}}`;
  await write("pods/a.yaml", pod("mended", image, "one"));
  await write("pods/b.yaml", pod("came", image, "two"));
  await write("pods/one.yaml", secret("one", "wrong"));
  const line = up("--backoff", "recover");
  await line("mended", "ErrImagePull");
  await line("came", "ErrImagePull");
  await write("pods/one.yaml", secret("one", "me-pw"));
  await line("mended", "Pulled");
  await write("pods/two.yaml", secret("two", "me-pw"));
  await line("came", "Present");
});

test("the node's file ends it, too, without its five minutes", PATIENCE, async (t) => {
  const { image, registry, up, write } = await setUp(t);
  await write("pods/a.yaml", pod("a", image));
  await write("config.json", auths(registry, "wrong"));
  const line = up("--backoff", "recover");
  await line("a", "ErrImagePull");
  await write("config.json", auths(registry, "me-pw"));
  await line("a", "Pulled");
});

test("so does another configuration of exec providers", PATIENCE, async (t) => {
  const { image, registry, up, write } = await setUp(t);
  await write("pods/a.yaml", pod("a", image));
  const config = (password: string): string =>
    JSON.stringify({
      apiVersion: "kubelet.config.k8s.io/v1",
      kind: "CredentialProviderConfig",
      providers: [
        {
          name: "robot",
          apiVersion: "credentialprovider.kubelet.k8s.io/v1",
          matchImages: [registry],
          defaultCacheDuration: "10m",
          env: [{ name: "ROBOT_PASSWORD", value: password }],
        },
      ],
    });
  const answer = `{"kind":"CredentialProviderResponse","apiVersion":"credentialprovider.kubelet.k8s.io/v1","cacheKeyType":"Registry","auth":{"${registry}":{"username":"me","password":"'$ROBOT_PASSWORD'"}}}`;
  await write("bin/robot", `#!/bin/sh\ncat > /dev/null\necho '${answer}'\n`);
  await write("providers.yaml", config("wrong"));
  const words = [
    "--image-credential-provider-config",
    "providers.yaml",
    "--image-credential-provider-bin-dir",
    "bin",
  ];
  const line = up("--backoff", "recover", ...words);
  await line("a", "ErrImagePull");
  await write("providers.yaml", config("me-pw"));
  await line("a", "Pulled");
});
