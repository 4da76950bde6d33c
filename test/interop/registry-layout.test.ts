/** docker-registry serves what dray exported, and dray takes in what docker-registry was pushed. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";

import { serveRegistry } from "../../src/registry/index.ts";
import { dray } from "../journeys/registry-command.ts";
import { run } from "../processes.ts";
import { startDockerRegistry } from "./docker-registry.ts";
import { findPeer, missingPeers } from "./peers.ts";
import { readBlobs, writeSampleLayout } from "./sample-images.ts";

describe("a docker-registry's folder", { skip: missingPeers("docker-registry", "skopeo", "crane") }, () => {
  const folder = mkdtempSync(join(tmpdir(), "dray-layout-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const skopeo = (...args: readonly string[]): Promise<string> => run(findPeer("skopeo") ?? "", args);
  const crane = (...args: readonly string[]): Promise<string> => run(findPeer("crane") ?? "", args);

  it("goes to and fro with every digest as it was", async () => {
    const layout = await writeSampleLayout(join(folder, "layout"));
    const copy = (from: string, to: string): Promise<string> =>
      skopeo(
        "copy",
        "--all",
        "--insecure-policy",
        "--src-tls-verify=false",
        "--dest-tls-verify=false",
        from,
        to,
      );
    /** Every byte of it, through skopeo, which hashes what comes. */
    const check = async (host: string, name: string): Promise<void> => {
      assert.equal(await crane("digest", "--insecure", `${host}/team/app:1`), layout.digests.multi);
      const back = join(folder, name);
      await copy(`docker://${host}/team/app:1`, `oci:${back}:x`);
      for (const blob of readBlobs(back).keys()) assert.ok(readBlobs(layout.folder).has(blob));
    };
    const docker = join(folder, "docker");
    {
      await using registry = await startDockerRegistry(docker);
      await copy(`oci:${layout.folder}:multi`, `docker://${registry.host}/team/app:1`);
    }
    const imported = await dray(join(folder, "one"), ["registry", "import", join(docker, "data")]);
    assert.equal(imported.code, 0, imported.stderr);
    {
      await using served = await serveRegistry({ dir: join(folder, "one", "registry"), port: 0 });
      await check(`127.0.0.1:${served.port}`, "from-dray");
    }
    const exported = await dray(join(folder, "one"), ["registry", "export", join(folder, "back", "data")]);
    assert.equal(exported.code, 0, exported.stderr);
    await using registry = await startDockerRegistry(join(folder, "back"));
    await check(registry.host, "from-docker");
    assert.equal(await crane("ls", "--insecure", `${registry.host}/team/app`), "1");
  });
});
