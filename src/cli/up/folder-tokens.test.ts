import assert from "node:assert/strict";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { openServiceAccountKey, verifyServiceAccountToken } from "../../kubernetes/index.ts";
import { FolderSource } from "../../node/index.ts";
import { FolderTokens } from "./folder-tokens.ts";

const NOW = Date.UTC(2026, 0, 1);

test("ServiceAccounts of a folder get tokens that name their Pod and this node, by a key of this machine", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "dray-tokens-"));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(
    join(folder, "accounts.yaml"),
    "{apiVersion: v1, kind: ServiceAccount, metadata: {name: robot, namespace: team, annotations: {role: puller}}}",
  );
  const pods = new FolderSource({ folder });
  t.after(() => pods.close());
  const ignore = (): void => {};
  await pods.start({ podSet: ignore, podGone: ignore, credentialsChanged: ignore, problems: ignore });
  const keyFile = join(folder, "data", "pki", "sa.key");
  const now = (): number => NOW;
  const tokens = new FolderTokens(pods, { keyFile, nodeName: "lab1", now });

  const { uid, annotations } = await tokens.get("team", "robot");
  assert.deepEqual(annotations, { role: "puller" });
  assert.equal((await tokens.get("team", "default")).annotations["role"], undefined);
  await assert.rejects(tokens.get("team", "nobody"), /^Error: serviceaccounts "nobody" not found$/);
  await assert.rejects(stat(keyFile), { code: "ENOENT" }, "there is no key before somebody wants a token");

  const { token, expires } = await tokens.issue({
    namespace: "team",
    serviceAccountName: "robot",
    serviceAccountUID: uid,
    audiences: ["registry.example"],
    pod: { name: "web", uid: "p-1" },
  });
  assert.equal(expires, NOW + 3_600_000);
  assert.equal((await stat(keyFile)).mode & 0o777, 0o600);
  const audiences = ["registry.example"];
  const verified = await verifyServiceAccountToken(await openServiceAccountKey(keyFile), token, {
    now,
    audiences,
  });
  assert.deepEqual(
    [verified?.username, verified?.serviceAccount.uid, verified?.pod, verified?.node],
    ["system:serviceaccount:team:robot", uid, { name: "web", uid: "p-1" }, { name: "lab1" }],
  );
});
