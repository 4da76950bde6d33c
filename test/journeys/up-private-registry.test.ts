/** `examples/private-registry` as a process: the seven ways to a private image, and the failures beside them. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { run } from "../../src/cli/run.ts";
import { createMemoryContext } from "../../src/cli/testing.ts";
import type { PodState } from "../../src/node/index.ts";
import { attempt, ROOT } from "../processes.ts";

test("seven ways to a private image, and what goes wrong beside them", { timeout: 180_000 }, async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), "dray-private-"));
  t.after(() => rm(dataDir, { recursive: true }));
  const start = join(ROOT, "examples", "private-registry", "start.ts");
  const words = [start, "--once", "--json", "--registry-port", "0", "--data-dir", dataDir];
  const ended = await attempt(process.execPath, words, { timeout: 150_000 });
  assert.equal(ended.status, 0, ended.stderr);

  const context = createMemoryContext({ now: Date.now });
  assert.equal(await run(["status", "--json", "--data-dir", dataDir], context), 1);
  const status = JSON.parse(context.stdout.text) as {
    readonly pods: readonly PodState[];
    readonly running: boolean;
  };
  assert.equal(status.running, false);
  const outcomes = status.pods.flatMap(({ namespace, name, containers }) =>
    containers.map((container) => [
      `${namespace}/${name}`,
      container.name,
      container.phase === "ready" ? container.outcome : container.reason,
    ]),
  );
  assert.deepEqual(outcomes, [
    ["default/exec-provider", "app", "pulled"],
    ["default/glob-entry", "app", "pulled"],
    ["default/in-turn", "app", "pulled"],
    ["default/missing-secret", "app", "ErrImagePull"],
    ["default/node-file", "app", "pulled"],
    ["default/pre-pulled", "app", "present"],
    ["default/wrong-secret", "app", "ErrImagePull"],
    ["team-a/pod-secret", "app", "pulled"],
    ["team-a/service-account", "app", "pulled"],
    ["team-b/other-namespace", "app", "ErrImagePull"],
    ["team-b/other-namespace", "never", "ErrImageNeverPull"],
  ]);

  const eventsOf = (name: string): readonly string[] =>
    (status.pods.find((pod) => pod.name === name)?.events ?? []).map(({ reason }) => reason);
  assert.deepEqual(eventsOf("pod-secret"), ["Pulling", "Pulled"]);
  assert.deepEqual(eventsOf("pre-pulled"), ["Pulled"]);
  assert.deepEqual(eventsOf("wrong-secret").slice(0, 3), ["Pulling", "Failed", "Failed"]);
  for (const name of ["missing-secret", "other-namespace"]) {
    const [first, ...rest] = eventsOf(name);
    assert.equal(first, "FailedToRetrieveImagePullSecret", name);
    assert.deepEqual(rest.slice(0, 3), ["Pulling", "Failed", "Failed"], name);
  }

  // Who may use what is written down as a kubelet would, and no password is in anything that was kept or said.
  const folder = join(dataDir, "image_manager", "pulled");
  const [file = ""] = await readdir(folder);
  const record = JSON.parse(await readFile(join(folder, file), "utf8")) as {
    readonly credentialMapping: Readonly<
      Record<string, { readonly kubernetesSecrets?: readonly { name: string }[] }>
    >;
  };
  const owners = Object.entries(record.credentialMapping).map(([image, credentials]) => [
    image.replace(/^localhost:\d+\//, ""),
    credentials.kubernetesSecrets?.map(({ name }) => name) ?? "everybody",
  ]);
  assert.deepEqual(owners, [
    ["exec-provider/app", "everybody"],
    ["glob-entry/app", "everybody"],
    ["in-turn/app", ["two-entries"]],
    ["node-file/app", "everybody"],
    ["pod-secret/app", ["pull"]],
    ["service-account/app", ["robot-pull"]],
  ]);
  const said = ended.stdout + ended.stderr + context.stdout.text + JSON.stringify(record);
  for (const secret of ["-pw", "guessed", "last-years"]) assert.ok(!said.includes(secret), secret);
});
