/** dray's command against other people's registry and tools, as separate processes. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

import { attempt, type Ended, ROOT, run, type RunOptions } from "../processes.ts";
import {
  type Certificates,
  type DockerRegistry,
  makeCertificates,
  startDockerRegistry,
} from "./docker-registry.ts";
import { findPeer, missingPeers } from "./peers.ts";
import { readBlobs, type SampleLayout, writeSampleLayout } from "./sample-images.ts";

const folder = mkdtempSync(join(tmpdir(), "dray-interop-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const DRAY = join(ROOT, "bin", "dray.js");
const env: NodeJS.ProcessEnv = {
  PATH: process.env["PATH"],
  HOME: folder,
  XDG_DATA_HOME: join(folder, "data"),
};

const dray = async (args: readonly string[], options: RunOptions = {}): Promise<string> =>
  await run(process.execPath, [DRAY, ...args], { cwd: folder, env, ...options });
const tryDray = async (args: readonly string[], options: RunOptions = {}): Promise<Ended> =>
  await attempt(process.execPath, [DRAY, ...args], { cwd: folder, env, ...options });
const peer = async (program: string, ...args: readonly string[]): Promise<string> =>
  await run(findPeer(program) ?? program, args, { env: { ...process.env, HOME: folder } });

describe("dray and docker-registry", { skip: missingPeers("docker-registry", "htpasswd", "oras") }, () => {
  const user = { name: "mover", password: "a pass:word" };
  let layout: SampleLayout;
  let certificates: Certificates;
  let registry: DockerRegistry;
  let trust: readonly string[];

  before(async () => {
    layout = await writeSampleLayout(join(folder, "layout"));
    certificates = await makeCertificates(join(folder, "tls"));
    registry = await startDockerRegistry(join(folder, "registry"), { user, tls: certificates });
    trust = ["--hosts-dir", writeHosts("trusting", certificates.ca)];
  });
  after(async () => await registry[Symbol.asyncDispose]());

  /** As containerd does, dray believes a registry on this machine, unless its settings say not to. */
  function writeHosts(name: string, ca?: string): string {
    const hosts = join(folder, name, registry.host);
    mkdirSync(hosts, { recursive: true });
    const lines = [`server = "https://${registry.host}"`, "skip_verify = false"];
    if (ca !== undefined) lines.push(`ca = ${JSON.stringify(ca)}`);
    writeFileSync(join(hosts, "hosts.toml"), `${lines.join("\n")}\n`);
    return join(folder, name);
  }

  it("refuses a private authority nobody vouched for, and says so", async () => {
    const ended = await tryDray(["digest", "--hosts-dir", writeHosts("strict"), `${registry.host}/a/b:1`]);
    assert.equal(ended.status, 5, ended.stderr);
    assert.match(ended.stderr, /authority|certificate/i);
  });

  it("is refused without a login and with a wrong password, and keeps the password to itself", async () => {
    const nobody = await tryDray(["digest", ...trust, `${registry.host}/a/b:1`]);
    assert.equal(nobody.status, 4, nobody.stderr);
    const args = ["login", ...trust, "--username", user.name, "--password-stdin", registry.host];
    const wrong = await tryDray(args, { input: "not the pass:word" });
    assert.equal(wrong.status, 4, wrong.stderr);
    assert.doesNotMatch(wrong.stdout + wrong.stderr, /not the pass/);
  });

  it("logs in, pushes an index of several platforms, and pulls it back byte for byte", async () => {
    const args = ["login", ...trust, "--username", user.name, "--password-stdin", registry.host];
    await dray(args, { input: `${user.password}\n` });
    for (const tag of ["multi", "gzip", "zstd"] as const) {
      const there = `${registry.host}/team/sample:${tag}`;
      await dray(["copy", ...trust, "--all-platforms", `oci:${layout.folder}:${tag}`, there]);
      assert.equal(await dray(["digest", ...trust, there]), layout.digests[tag]);
      const back = join(folder, `back-${tag}`);
      await dray(["copy", ...trust, "--all-platforms", there, `oci:${back}:${tag}`]);
      const original = readBlobs(layout.folder);
      const returned = readBlobs(back);
      assert.ok(returned.has(layout.digests[tag].slice("sha256:".length)));
      for (const [digest, size] of returned) assert.equal(original.get(digest), size);
      if (tag === "multi")
        assert.equal(returned.size, 9, "an index, two manifests, two configs and four layers");
    }
  });

  it("pushes what others can pull", { skip: missingPeers("skopeo") }, async () => {
    const there = `docker://${registry.host}/team/sample:multi`;
    const creds = `${user.name}:${user.password}`;
    const read = ["inspect", "--raw", "--creds", creds, "--tls-verify=false", there];
    const index = JSON.parse(await peer("skopeo", ...read)) as { readonly manifests: readonly unknown[] };
    assert.equal(index.manifests.length, 2);
    const back = join(folder, "skopeo-back");
    await peer(
      "skopeo",
      "copy",
      "--all",
      "--src-creds",
      creds,
      "--src-tls-verify=false",
      there,
      `oci:${back}:x`,
    );
    assert.equal(readBlobs(back).size, 9);
  });

  it("pulls into the store, and pulls nothing the second time", async () => {
    const there = `${registry.host}/team/sample:multi`;
    const pull = ["pull", ...trust, "--all-platforms", "--json", there];
    const first = JSON.parse(await dray(pull)) as { readonly digest: string; readonly transferred: number };
    assert.equal(first.digest, layout.digests.multi);
    assert.ok(first.transferred > 0);
    const second = JSON.parse(await dray(pull)) as { readonly transferred: number };
    assert.equal(second.transferred, 0);
  });

  it("trusts an authority from the command line, too", async () => {
    const args = ["digest", "--tls-ca", certificates.ca, `${registry.host}/team/sample:gzip`];
    assert.equal(await dray(args), layout.digests.gzip);
  });

  it("logs out, and is nobody again", async () => {
    await dray(["logout", registry.host]);
    const ended = await tryDray(["digest", ...trust, `${registry.host}/team/sample:gzip`]);
    assert.equal(ended.status, 4);
  });
});

describe("dray's images and archives, and other tools", { skip: missingPeers("skopeo", "podman") }, () => {
  const podman = async (...args: readonly string[]): Promise<string> => {
    const home = join(folder, "podman");
    const where = ["--root", join(home, "root"), "--runroot", join(home, "run"), "--storage-driver", "vfs"];
    return await peer("podman", ...where, ...args);
  };

  before(async () => {
    const rootfs = join(folder, "rootfs");
    mkdirSync(join(rootfs, "etc"), { recursive: true });
    writeFileSync(join(rootfs, "etc", "motd"), "carried by dray\n");
    writeFileSync(join(rootfs, "hello"), "#!/bin/sh\necho hello\n", { mode: 0o755 });
    const settings = [
      "--entrypoint",
      '["/hello"]',
      "--env",
      "GREETING=hello",
      "--workdir",
      "/etc",
      "--label",
      "a=b",
    ];
    for (const compression of ["gzip", "zstd"]) {
      const tag = `example.com/built:${compression}`;
      await dray([
        "build",
        "--tag",
        tag,
        "--compression",
        compression,
        ...settings,
        "--expose",
        "80",
        rootfs,
      ]);
    }
  });

  for (const [kind, save] of [
    ["oci-archive", "oci"],
    ["docker-archive", "docker"],
  ] as const) {
    it(`skopeo and podman read what dray save writes as ${kind}`, async () => {
      const file = join(folder, `saved-${save}.tar`);
      await dray(["save", "--format", save, "--output", file, "example.com/built:gzip"]);
      const config = JSON.parse(
        await peer("skopeo", "inspect", "--config", `${kind}:${file}`),
      ) as BuiltConfig;
      expectBuilt(config);
      await podman("rmi", "--all", "--force");
      const loaded = await podman("load", "--quiet", "--input", file);
      assert.match(loaded, /example\.com\/built:gzip/);
      const inspected = await podman(
        "image",
        "inspect",
        "--format",
        "{{json .Config}}",
        "example.com/built:gzip",
      );
      expectBuilt({ config: JSON.parse(inspected) as BuiltConfig["config"] });
    });

    it(`dray load reads what skopeo writes as ${kind}`, async () => {
      const from = join(folder, `from-${save}.tar`);
      await dray(["save", "--format", "oci", "--output", from, "example.com/built:gzip"]);
      const file = join(folder, `skopeo-${save}.tar`);
      const name = kind === "docker-archive" ? `:example.com/skopeo:${save}` : ":example.com/skopeo:oci";
      await peer("skopeo", "copy", `oci-archive:${from}`, `${kind}:${file}${name}`);
      await dray(["load", "--input", file]);
      expectBuilt(JSON.parse(await dray(["config", `store:example.com/skopeo:${save}`])) as BuiltConfig);
    });

    it(`dray load reads what podman save writes as ${kind}`, async () => {
      const file = join(folder, `podman-${save}.tar`);
      await podman("save", "--quiet", "--format", kind, "--output", file, "example.com/built:gzip");
      await dray(["rm", "example.com/built:gzip"]);
      await dray(["load", "--input", file]);
      expectBuilt(JSON.parse(await dray(["config", "store:example.com/built:gzip"])) as BuiltConfig);
    });
  }

  it("podman unpacks an image with a zstd layer that dray built", async () => {
    const file = join(folder, "zstd.tar");
    await dray(["save", "--format", "oci", "--output", file, "example.com/built:zstd"]);
    await podman("load", "--quiet", "--input", file);
    const mounted = await podman("image", "mount", "example.com/built:zstd");
    assert.equal(readFileSync(join(mounted, "etc", "motd"), "utf8"), "carried by dray\n");
    await podman("image", "unmount", "--all", "--force");
  });

  interface BuiltConfig {
    readonly config: {
      readonly Entrypoint: readonly string[];
      readonly Env: readonly string[];
      readonly WorkingDir: string;
      readonly Labels: Readonly<Record<string, string>>;
      readonly ExposedPorts: Readonly<Record<string, object>>;
    };
  }

  function expectBuilt({ config }: BuiltConfig): void {
    assert.deepEqual(config.Entrypoint, ["/hello"]);
    assert.ok(config.Env.includes("GREETING=hello"));
    assert.equal(config.WorkingDir, "/etc");
    assert.equal(config.Labels["a"], "b");
    assert.deepEqual(Object.keys(config.ExposedPorts), ["80/tcp"]);
  }
});
