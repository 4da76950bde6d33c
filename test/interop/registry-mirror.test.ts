/**
 * Stock clients pull through a mirror of a stock registry: containerd by the hosts.toml that `dray mirror hosts`
 * writes, the others by the prefix; and they go on when that registry is down.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

import { openConfiguredMirror } from "../../src/cli/mirror/open-mirror.ts";
import { run as dray } from "../../src/cli/run.ts";
import { createMemoryContext } from "../../src/cli/testing.ts";
import { serveRegistry, type ServedRegistry } from "../../src/registry/index.ts";
import { run } from "../processes.ts";
import { startContainerd, type Containerd } from "./containerd.ts";
import { startDockerRegistry, type DockerRegistry } from "./docker-registry.ts";
import { findPeer, missingPeers } from "./peers.ts";
import { readBlobs, type SampleLayout, writeSampleLayout } from "./sample-images.ts";

const USER = { name: "mirror", password: "secret of the mirror" };

describe(
  "stock clients pull through a mirror",
  {
    skip: missingPeers("containerd", "ctr", "crane", "skopeo", "docker-registry", "htpasswd"),
  },
  () => {
    const folder = mkdtempSync(join(tmpdir(), "dray-mirror-clients-"));
    const certs = join(folder, "certs.d");
    /** Ends what was begun, even where not everything could be. */
    const stack = new AsyncDisposableStack();
    stack.defer(() => rmSync(folder, { recursive: true, force: true }));
    let layout: SampleLayout;
    let upstream: DockerRegistry;
    let mirror: ServedRegistry;
    let url: string;
    let containerd: Containerd;
    const asked: string[] = [];

    before(async () => {
      layout = await writeSampleLayout(join(folder, "layout"));
      upstream = stack.use(await startDockerRegistry(join(folder, "upstream"), { user: USER }));
      const there = `docker://${upstream.host}/team/app:1`;
      const login = `--dest-creds=${USER.name}:${USER.password}`;
      await peer("skopeo", [
        "copy",
        "-q",
        "--all",
        "--dest-tls-verify=false",
        login,
        `oci:${layout.folder}:multi`,
        there,
      ]);
      writeFileSync(join(folder, "password"), `${USER.password}\n`);
      const credentials = { username: USER.name, passwordFile: "password" };
      const place = `http://${upstream.host}`;
      const config = {
        askForLogin: true,
        upstreams: [
          { registry: "images.example.com", prefix: "example", url: place, credentials },
          { registry: "private.example.com", prefix: "private", url: place, credentials: "callers" as const },
        ],
      };
      writeFileSync(join(folder, "mirror.yaml"), JSON.stringify(config));
      const dir = join(folder, "mirror");
      mkdirSync(dir);
      mirror = await serveRegistry({
        dir,
        port: 0,
        mirror: await openConfiguredMirror(config, { dir, folder }),
        onAnswer: ({ method, target }) => void asked.push(`${method} ${target}`),
      });
      stack.defer(() => mirror.close());
      url = `http://127.0.0.1:${mirror.port}`;
      const context = createMemoryContext({ cwd: folder });
      const args = [
        "mirror",
        "hosts",
        "-c",
        "mirror.yaml",
        "--server",
        url,
        "--containerd",
        certs,
        "--no-fallback",
      ];
      assert.equal(await dray(args, context), 0, context.stderr.text);
      containerd = stack.use(await startContainerd(join(folder, "containerd")));
    });
    after(async () => await stack.disposeAsync());

    const peer = async (program: string, args: readonly string[]): Promise<string> => {
      return await run(findPeer(program) ?? program, args);
    };
    /** Every client has to end up with all blobs of all platforms. */
    const assertWhole = (place: string): void => {
      assert.deepEqual(
        readBlobs(place),
        new Map([...readBlobs(layout.folder)].filter(([digest]) => expected.has(digest))),
      );
    };
    const expected = new Set<string>();
    const containerdPulls = async (
      namespace: string,
      image = "images.example.com/team/app:1",
      login: readonly string[] = [],
    ): Promise<void> => {
      const ctr = async (...args: readonly string[]): Promise<string> => {
        const { status, stdout, stderr } = await containerd.ctr(namespace, args);
        assert.equal(status, 0, stdout + stderr);
        return stdout.trim();
      };
      await ctr("content", "fetch", "--all-platforms", "--hosts-dir", certs, ...login, image);
      const listed = await ctr("content", "ls", "-q");
      const digests = listed.split("\n").map((line) => line.trim().replace("sha256:", ""));
      for (const digest of expected) assert.ok(digests.includes(digest), `containerd lacks ${digest}`);
    };
    const skopeoCopies = async (name: string): Promise<void> => {
      const from = `docker://127.0.0.1:${mirror.port}/example/team/app:1`;
      const place = join(folder, name);
      await peer("skopeo", ["copy", "-q", "--all", "--src-tls-verify=false", from, `oci:${place}:1`]);
      assertWhole(place);
    };

    it("the first one brings it here", async () => {
      const place = join(folder, "direct");
      const from = `docker://${upstream.host}/team/app:1`;
      const login = `--src-creds=${USER.name}:${USER.password}`;
      await peer("skopeo", ["copy", "-q", "--all", "--src-tls-verify=false", login, from, `oci:${place}:1`]);
      for (const digest of readBlobs(place).keys()) expected.add(digest);
      assert.ok(expected.size >= 9);
      await containerdPulls("first");
      assert.ok(
        asked.every((line) => line.endsWith("?ns=images.example.com")),
        asked.join("\n"),
      );
      assert.equal(asked[0], "HEAD /v2/team/app/manifests/1?ns=images.example.com");
    });

    it("the others find it here", async () => {
      await skopeoCopies("copied");
      const ref = `127.0.0.1:${mirror.port}/example/team/app:1`;
      assert.equal(await peer("crane", ["digest", ref]), layout.digests.multi);
      await peer("crane", ["pull", "--platform", "linux/amd64", ref, join(folder, "crane.tar")]);
      assert.equal(await peer("crane", ["ls", `127.0.0.1:${mirror.port}/example/team/app`]), "1");
    });

    it("with their own login, those who have one there", async () => {
      const image = "private.example.com/team/app:1";
      const refused = /401|authorization failed|no basic auth/;
      await assert.rejects(containerdPulls("nobody", image), refused);
      await assert.rejects(containerdPulls("wrong", image, ["--user", `${USER.name}:wrong`]), refused);
      await containerdPulls("somebody", image, ["--user", `${USER.name}:${USER.password}`]);
      // What is here now is still for nobody else.
      await assert.rejects(containerdPulls("nobody", image), refused);
      const from = `docker://127.0.0.1:${mirror.port}/private/team/app:1`;
      const copy = ["copy", "-q", "--all", "--src-tls-verify=false"];
      const nowhere = `oci:${join(folder, "refused")}:1`;
      await assert.rejects(peer("skopeo", [...copy, from, nowhere]), /unauthorized|401/i);
      const login = `--src-creds=${USER.name}:${USER.password}`;
      await peer("skopeo", [...copy, login, from, `oci:${join(folder, "private")}:1`]);
      assertWhole(join(folder, "private"));
    });

    it("and everybody goes on while the registry is down", async () => {
      await upstream.process.stop();
      await containerdPulls("second");
      await skopeoCopies("again");
      assert.equal(
        await peer("crane", ["digest", `127.0.0.1:${mirror.port}/example/team/app:1`]),
        layout.digests.multi,
      );
    });
  },
);
