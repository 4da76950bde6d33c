import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { createMemoryContext } from "../testing.ts";
import { openNodeCredentials } from "./node-credentials.ts";

const PROVIDERS = `apiVersion: kubelet.config.k8s.io/v1
kind: CredentialProviderConfig
providers:
  - { name: vault, apiVersion: credentialprovider.kubelet.k8s.io/v1, defaultCacheDuration: 1h, matchImages: ["*.example.com"] }
`;

test("a node file that changed is told of, also where the providers' configuration was wrong at the time", async () => {
  const dir = await mkdtemp(join(tmpdir(), "dray-node-credentials-"));
  try {
    const [bin, nodeConfig, providerConfig] = ["bin", "config.json", "providers.yaml"].map((name) =>
      join(dir, name),
    ) as [string, string, string];
    await mkdir(bin);
    await writeFile(join(bin, "vault"), "#!/bin/sh\nexit 1\n");
    await chmod(join(bin, "vault"), 0o755);
    await writeFile(providerConfig, PROVIDERS);
    await writeFile(nodeConfig, '{"auths":{}}');
    const credentials = await openNodeCredentials(
      { nodeConfig, providerConfig, providerBinDir: bin },
      {
        context: createMemoryContext({ cwd: dir, home: dir }),
        root: dir,
        track: true,
        onWarning: (message) => assert.fail(message),
      },
    );
    assert.equal(await credentials.refresh(), false);

    await writeFile(nodeConfig, '{"auths":{"r.example":{"auth":"dTpw"}}}');
    await writeFile(providerConfig, "kind: Nothing");
    await assert.rejects(credentials.refresh());
    await assert.rejects(credentials.refresh());
    await writeFile(providerConfig, PROVIDERS);
    assert.equal(await credentials.refresh(), true);
    assert.equal(await credentials.refresh(), false);
  } finally {
    await rm(dir, { recursive: true });
  }
});
