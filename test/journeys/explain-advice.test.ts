/** What explaining says to paste is pasted, into a shell with stock kubectl: afterwards the Pod runs. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";

import { run } from "../../src/cli/run.ts";
import { createMemoryContext } from "../../src/cli/testing.ts";
import type { Advice, Explanation } from "../../src/explain/index.ts";
import { findPeer, missingPeers } from "../interop/peers.ts";
import { setUp, type World } from "./up-cluster.ts";

const skip = missingPeers("kubectl");
const LONG = { skip, timeout: 300_000 };

interface Lab extends World {
  /** Runs a line in a shell, and prints what it prints. */
  readonly shell: (line: string) => Promise<string>;
  readonly explain: (...words: readonly string[]) => Promise<Told>;
  readonly fails: (of: string) => Promise<void>;
  readonly runs: (of: string) => Promise<void>;
}

interface Told {
  readonly exit: number;
  readonly codes: readonly string[];
  readonly adviceFor: (code: string) => readonly Advice[];
}

async function openLab(t: TestContext): Promise<Lab> {
  const world = await setUp(t);
  const { folder } = world;
  const { kubeconfig, resource, until } = await world.up();
  const path = `${dirname(findPeer("kubectl") ?? "")}:/usr/bin:/bin`;
  const env = { PATH: path, KUBECONFIG: kubeconfig, HOME: folder };
  const shell: Lab["shell"] = async (line) => {
    const child = spawn("/bin/sh", ["-c", line], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
    let out = "";
    let said = "";
    child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", resolve);
    });
    assert.equal(code, 0, `${line}\n${out}${said}`);
    return out;
  };
  const explain: Lab["explain"] = async (...words) => {
    const context = createMemoryContext({
      cwd: folder,
      home: folder,
      env: { HOME: folder, XDG_DATA_HOME: join(folder, "data") },
      now: Date.now,
    });
    const exit = await run(["explain", ...words, "--json"], context);
    const { pods } = JSON.parse(context.stdout.text) as Explanation;
    const causes = pods.flatMap((pod) => [pod.causes, ...pod.images.map((image) => image.causes)].flat());
    return {
      exit,
      codes: causes.map(({ code }) => code),
      adviceFor: (code) => causes.filter((one) => one.code === code).flatMap(({ advice }) => advice),
    };
  };
  const fails = async (name: string): Promise<void> => {
    await until(
      resource("pods"),
      ({ metadata, status }) =>
        metadata.name?.startsWith(name) === true &&
        /"reason":"(ErrImagePull|ImagePullBackOff)"/.test(JSON.stringify(status ?? {})),
    );
  };
  const runs = async (of: string): Promise<void> => {
    await shell(`kubectl wait ${of} --for=condition=Ready --timeout=240s`);
    assert.equal((await explain(of.split(" ")[0] ?? "", ...of.split(" ").slice(1))).exit, 0);
  };
  return { ...world, shell, explain, fails, runs };
}

/** Only the placeholders are filled in. */
function fill({ command = "" }: Advice): string {
  return command.replaceAll("USER", "me").replaceAll("PASSWORD", "me-pw").replaceAll(":TAG", ":1");
}

async function follow(advice: readonly Advice[], { shell }: Lab): Promise<void> {
  for (const one of advice) if (one.command?.startsWith("kubectl ") === true) await shell(fill(one));
}

function podYaml(name: string, image: string, more = ""): string {
  return `apiVersion: v1\nkind: Pod\nmetadata: { name: ${name} }\nspec:\n  containers: [{ name: web, image: "${image}" }]\n${more}`;
}

function loginLine(name: string, registry: string, password: string): string {
  return `kubectl create secret docker-registry ${name} --docker-server=${registry} --docker-username=me --docker-password=${password}`;
}

test(
  "a Pod without credentials: the Secret, the account that brings it, and the Pod anew",
  LONG,
  async (t) => {
    const lab = await openLab(t);
    await writeFile(join(lab.folder, "pod.yaml"), podYaml("web", lab.image));
    await lab.shell("kubectl apply -f pod.yaml");
    await lab.fails("web");
    const told = await lab.explain("pod/web");
    assert.deepEqual(told.codes, ["NO_CREDENTIALS"]);
    assert.equal(told.exit, 4);
    await follow(told.adviceFor("NO_CREDENTIALS"), lab);
    await lab.runs("pod/web");

    await t.test("a tag that isn't there, of a Deployment", async () => {
      await lab.shell(`kubectl create deployment front --image=${lab.image}0`);
      await lab.fails("front-");
      const missing = await lab.explain("deployment/front");
      assert.deepEqual(missing.codes, ["TAG_MISSING"]);
      assert.equal(missing.exit, 3);
      await follow(missing.adviceFor("TAG_MISSING"), lab);
      await lab.shell("kubectl rollout status deployment/front --timeout=240s");
      assert.equal((await lab.explain("deployment/front")).exit, 0);
    });

    await t.test("a ServiceAccount that isn't there", async () => {
      const name = "robot";
      await writeFile(
        join(lab.folder, "robot.yaml"),
        podYaml(
          "robot",
          lab.image,
          `  serviceAccountName: ${name}\n  imagePullSecrets: [{ name: regcred }]\n`,
        ),
      );
      await lab.shell("kubectl get secrets,serviceaccounts -o yaml > around.yaml");
      const missing = await lab.explain("robot.yaml", "around.yaml", "--complete");
      assert.ok(missing.codes.includes("SERVICE_ACCOUNT_MISSING"));
      await follow(missing.adviceFor("SERVICE_ACCOUNT_MISSING"), lab);
      await lab.shell("kubectl apply -f robot.yaml");
      await lab.runs("pod/robot");
    });
  },
);

test("Secrets that are wrong, of the wrong type, elsewhere, or not named", LONG, async (t) => {
  const lab = await openLab(t);
  const { shell, registry, image } = lab;
  await shell(loginLine("wrong", registry, "nonsense"));
  await shell("kubectl create secret generic opaque --from-literal=.dockerconfigjson={}");
  await shell("kubectl create namespace far");
  await shell(`${loginLine("distant", registry, "me-pw")} -n far`);
  for (const name of ["wrong", "opaque", "distant"]) {
    await writeFile(
      join(lab.folder, "pod.yaml"),
      podYaml(name, image, `  imagePullSecrets: [{ name: ${name} }]\n`),
    );
    await shell("kubectl apply -f pod.yaml");
  }
  const cases = {
    wrong: "CREDENTIAL_REFUSED",
    opaque: "SECRET_WRONG_TYPE",
    distant: "SECRET_OTHER_NAMESPACE",
  };
  for (const [name, code] of Object.entries(cases)) {
    await lab.fails(name);
    const told = await lab.explain(`pod/${name}`);
    assert.ok(told.codes.includes(code), told.codes.join());
    await follow(told.adviceFor(code), lab);
    await lab.runs(`pod/${name}`);
  }

  await t.test("one Secret that isn't there, for images of two registries", async () => {
    const containers = [
      { name: "web", image },
      { name: "side", image: image.replace("localhost:", "127.0.0.1:") },
    ];
    const spec = { containers, imagePullSecrets: [{ name: "shared" }] };
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "two" }, spec };
    await writeFile(join(lab.folder, "two.json"), JSON.stringify(pod));
    await shell("kubectl apply -f two.json");
    await lab.fails("two");
    const told = await lab.explain("pod/two");
    const lines = new Set(told.adviceFor("SECRET_MISSING").map(fill));
    assert.equal(lines.size, 1, [...lines].join("\n"));
    for (const line of lines) await shell(line);
    await lab.runs("pod/two");
  });

  await t.test("a Secret that fits and that nobody names, for a Deployment with another", async () => {
    await shell(loginLine("elsewhere", "other.example.com", "me-pw"));
    const template = {
      metadata: { labels: { app: "shop" } },
      spec: { imagePullSecrets: [{ name: "elsewhere" }], containers: [{ name: "web", image }] },
    };
    const spec = { selector: { matchLabels: { app: "shop" } }, template };
    const deployment = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "shop" }, spec };
    await writeFile(join(lab.folder, "shop.json"), JSON.stringify(deployment));
    await shell("kubectl apply -f shop.json");
    await lab.fails("shop-");
    const told = await lab.explain("deployment/shop");
    assert.ok(told.codes.includes("SECRET_NOT_REFERENCED"), told.codes.join());
    await follow(told.adviceFor("SECRET_NOT_REFERENCED"), lab);
    await shell("kubectl rollout status deployment/shop --timeout=240s");
    assert.equal((await lab.explain("deployment/shop")).exit, 0);
  });
});
