/** Stock clients log in to dray's registry, with passwords and with tokens, over TLS, and do what they may. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

import {
  ACCESS_FILE,
  createRobot,
  openSqliteAccessStore,
  serveRegistry,
  type AccessConfig,
  type RobotLogin,
  type ServedRegistry,
} from "../../src/registry/index.ts";
import { attempt, run, type Ended } from "../processes.ts";
import { startContainerd } from "./containerd.ts";
import { makeCertificates, type Certificates } from "./docker-registry.ts";
import { findPeer, missingPeers } from "./peers.ts";
import { readBlobs, type SampleLayout, writeSampleLayout } from "./sample-images.ts";

const POLICIES: NonNullable<AccessConfig["policies"]> = [
  { repositories: ["public/**"], actions: ["pull"], subjects: ["everyone"] },
  { repositories: ["**"], actions: ["pull", "push", "delete"], subjects: ["user:alice"] },
  { repositories: ["team/**"], actions: ["pull"], subjects: ["user:bob"] },
];
const GRANTS = [{ repositories: ["team/**"], actions: ["pull", "push"] }] as const;

for (const [how, more] of [
  ["htpasswd", {}],
  ["tokens", { tokens: {} }],
] as const) {
  const skip = missingPeers("crane", "oras", "skopeo", "podman", "containerd", "ctr", "htpasswd", "curl");
  describe(`stock clients log in with ${how}`, { skip }, () => {
    const folder = mkdtempSync(join(tmpdir(), "dray-access-clients-"));
    let layout: SampleLayout;
    let certificates: Certificates;
    let registry: ServedRegistry;
    let host: string;
    let robot: RobotLogin;

    before(async () => {
      layout = await writeSampleLayout(join(folder, "layout"));
      certificates = await makeCertificates(join(folder, "certificates"));
      const lines: string[] = [];
      for (const name of ["alice", "bob"]) {
        lines.push(await peer("htpasswd", ["-niB", name], { input: `secret of ${name}` }));
      }
      const htpasswd = join(folder, "htpasswd");
      writeFileSync(htpasswd, `${lines.join("\n")}\n`);
      const dir = join(folder, "registry");
      mkdirSync(dir);
      registry = await serveRegistry({
        dir,
        port: 0,
        tls: { cert: readFileSync(certificates.cert), key: readFileSync(certificates.key) },
        access: { realm: "dray test", htpasswd, policies: POLICIES, ...more },
      });
      host = `127.0.0.1:${registry.port}`;
      await using store = openSqliteAccessStore(join(dir, ACCESS_FILE));
      robot = await createRobot(store, "ci", { grants: GRANTS });
    });
    after(async () => {
      await registry.close();
      rmSync(folder, { recursive: true, force: true });
    });

    /** Everybody has a home of their own, where their login is kept. */
    const environmentOf = (who: string): NodeJS.ProcessEnv => {
      const home = join(folder, "homes", who);
      mkdirSync(home, { recursive: true });
      const auth = join(home, "auth.json");
      const cert = { SSL_CERT_FILE: certificates.ca };
      return { ...process.env, HOME: home, DOCKER_CONFIG: home, REGISTRY_AUTH_FILE: auth, ...cert };
    };
    const peer = async (
      program: string,
      args: readonly string[],
      options: { readonly who?: string; readonly input?: string } = {},
    ): Promise<string> => {
      const { who = "nobody", input = "" } = options;
      return await run(findPeer(program) ?? program, args, { env: environmentOf(who), input });
    };
    const tries = async (program: string, args: readonly string[], who: string, input = ""): Promise<Ended> =>
      await attempt(findPeer(program) ?? program, args, { env: environmentOf(who), input });
    const refused = async (program: string, args: readonly string[], who: string): Promise<void> => {
      const ended = await tries(program, args, who);
      assert.notEqual(ended.status, 0, `${program} ${args.join(" ")} as ${who} was let in`);
      assert.match(
        ended.stdout + ended.stderr,
        /unauthorized|denied|authentication required|credential not found|401|403/i,
      );
    };

    it("crane", async () => {
      const login = ["auth", "login", host, "-u", "alice", "--password-stdin"];
      await peer("crane", login, { who: "alice", input: "secret of alice" });
      const ref = `${host}/team/crane:1`;
      const image = join(folder, "crane-image");
      await peer("skopeo", ["copy", "-q", `oci:${layout.folder}:gzip`, `oci:${image}:x`]);
      await peer("crane", ["push", image, ref], { who: "alice" });
      const digest = await peer("crane", ["digest", ref], { who: "alice" });
      await peer("crane", ["cp", ref, `${host}/public/crane:1`], { who: "alice" });
      assert.equal(await peer("crane", ["digest", `${host}/public/crane:1`]), digest, "without a login");
      await refused("crane", ["digest", ref], "nobody");
      await refused("crane", ["cp", ref, `${host}/public/crane:2`], "nobody");
      const bob = ["auth", "login", host, "-u", "bob", "--password-stdin"];
      await peer("crane", bob, { who: "bob", input: "secret of bob" });
      await peer("crane", ["pull", ref, join(folder, "crane.tar")], { who: "bob" });
      await refused("crane", ["tag", ref, "2"], "bob");
      assert.deepEqual((await peer("crane", ["catalog", host], { who: "bob" })).split("\n").toSorted(), [
        "public/crane",
        "team/crane",
      ]);
      assert.equal(await peer("crane", ["ls", `${host}/team/crane`], { who: "bob" }), "1");
      await refused("crane", ["delete", `${host}/team/crane@${digest}`], "bob");
      await peer("crane", ["delete", `${host}/team/crane@${digest}`], { who: "alice" });
      await assert.rejects(peer("crane", ["digest", ref], { who: "alice" }), /MANIFEST_UNKNOWN|404/);
    });

    it("skopeo", async () => {
      const login = ["login", "--username", "alice", "--password-stdin", host];
      await peer("skopeo", login, { who: "skopeo", input: "secret of alice" });
      const wrong = await tries("skopeo", login, "wrong", "guess");
      assert.notEqual(wrong.status, 0);
      const there = `docker://${host}/team/skopeo:1`;
      const from = `oci:${layout.folder}:multi`;
      await peer("skopeo", ["copy", "-q", "--all", from, there], { who: "skopeo" });
      await peer("skopeo", ["copy", "-q", "--all", there, `docker://${host}/public/skopeo:1`], {
        who: "skopeo",
      });
      const inspected = await peer("skopeo", ["inspect", "--format", "{{.Digest}}", there], {
        who: "skopeo",
      });
      assert.equal(inspected, layout.digests.multi);
      const shown = ["inspect", "--format", "{{.Digest}}", `docker://${host}/public/skopeo:1`];
      assert.equal(await peer("skopeo", shown), layout.digests.multi, "without a login");
      await refused("skopeo", ["inspect", there], "nobody");
      const tags = await peer("skopeo", ["list-tags", `docker://${host}/team/skopeo`], { who: "skopeo" });
      assert.deepEqual((JSON.parse(tags) as { Tags: string[] }).Tags, ["1"]);
      // Another way to trust an authority: a folder of certificates, as /etc/containers/certs.d is one.
      const vouching = join(folder, "skopeo-certs");
      mkdirSync(vouching, { recursive: true });
      writeFileSync(join(vouching, "ca.crt"), certificates.caText);
      const back = join(folder, "skopeo-back");
      const pull = ["copy", "-q", "--all", "--src-cert-dir", vouching, there, `oci:${back}:x`];
      await run(findPeer("skopeo") ?? "", pull, {
        env: { ...environmentOf("skopeo"), SSL_CERT_FILE: undefined },
      });
      for (const blob of readBlobs(back).keys()) assert.ok(readBlobs(layout.folder).has(blob));
      await peer("skopeo", ["delete", there], { who: "skopeo" });
      await assert.rejects(
        peer("skopeo", ["inspect", there], { who: "skopeo" }),
        /manifest unknown|no manifest/,
      );
      await peer("skopeo", ["logout", host], { who: "skopeo" });
      await refused("skopeo", ["inspect", there], "skopeo");
    });

    it("oras, as a robot", async () => {
      const login = ["login", host, "-u", robot.login, "--password-stdin"];
      await peer("oras", login, { who: "robot", input: robot.secret.reveal() });
      const ref = `${host}/team/oras:1`;
      await peer("oras", ["cp", "--from-oci-layout", `${layout.folder}:zstd`, ref], { who: "robot" });
      await peer("oras", ["cp", "--to-oci-layout", ref, `${join(folder, "oras")}:x`], { who: "robot" });
      assert.equal(await peer("oras", ["resolve", ref], { who: "robot" }), layout.digests.zstd);
      await refused("oras", ["cp", ref, `${host}/elsewhere/oras:1`], "robot");
      assert.equal(await peer("oras", ["repo", "tags", `${host}/team/oras`], { who: "robot" }), "1");
      assert.match(await peer("oras", ["repo", "ls", host], { who: "robot" }), /^team\/oras$/m);
      await refused("oras", ["manifest", "delete", "--force", ref], "robot");
    });

    it("oras, with what refers to an image", async () => {
      const who = "oras";
      const ref = `${host}/team/subject:1`;
      const login = ["login", host, "-u", "alice", "--password-stdin"];
      await peer("oras", login, { who, input: "secret of alice" });
      await peer("oras", ["cp", "--from-oci-layout", `${layout.folder}:gzip`, ref], { who });
      const signature = join(folder, "signature.txt");
      writeFileSync(signature, "signed");
      const attach = [
        "attach",
        "--artifact-type",
        "application/vnd.example.signature",
        "--disable-path-validation",
      ];
      await peer("oras", [...attach, ref, signature], { who });
      const discover = [
        "discover",
        "--format",
        "json",
        "--artifact-type",
        "application/vnd.example.signature",
        ref,
      ];
      assert.match(await peer("oras", discover, { who }), /"application\/vnd\.example\.signature"/);
      await refused("oras", ["discover", ref], "nobody");
      await peer("oras", ["manifest", "delete", "--force", ref], { who });
      assert.notEqual((await tries("oras", ["resolve", ref], who)).status, 0);
      await peer("oras", ["logout", host], { who });
      await refused("oras", ["repo", "tags", `${host}/team/subject`], who);
    });

    it("podman", async () => {
      const places = ["--root", join(folder, "podman"), "--runroot", join(folder, "run")];
      const storage = [...places, "--storage-driver", "vfs"];
      const podman = async (...args: readonly string[]): Promise<string> =>
        await peer("podman", [...storage, ...args], { who: "podman" });
      const login = [...storage, "login", "--username", "alice", "--password-stdin", host];
      await peer("podman", login, { who: "podman", input: "secret of alice" });
      const image = await podman("pull", "--quiet", `oci:${layout.folder}:gzip`);
      await podman("push", "--quiet", image, `${host}/team/podman:1`);
      await podman("rmi", "--all", "--force");
      await podman("pull", "--quiet", `${host}/team/podman:1`);
      const list = ["search", "--list-tags", "--format", "{{.Tag}}", `${host}/team/podman`];
      assert.equal(await podman(...list), "1");
      await podman("logout", host);
      await podman("rmi", "--all", "--force");
      await assert.rejects(
        podman("pull", "--quiet", `${host}/team/podman:1`),
        /unauthorized|authentication|denied/i,
      );
    });

    it("containerd, by the daemon and by its client", async () => {
      const seed = `${host}/team/seed:1`;
      const pushed = `${host}/team/containerd:1`;
      const alice = "alice:secret of alice";
      await peer("skopeo", ["login", "--username", "alice", "--password-stdin", host], {
        who: "seed",
        input: "secret of alice",
      });
      const copy = ["copy", "-q", "--all", `oci:${layout.folder}:multi`, `docker://${seed}`];
      await peer("skopeo", copy, { who: "seed" });
      const certs = join(folder, "certs.d");
      const place = join(certs, host);
      mkdirSync(place, { recursive: true });
      const settings = `server = "https://${host}"\n[host."https://${host}"]\nca = "${certificates.ca}"\n`;
      writeFileSync(join(place, "hosts.toml"), settings);
      await using containerd = await startContainerd(join(folder, "containerd"));
      const ctr = async (namespace: string, ...args: readonly string[]): Promise<string> => {
        const { status, stdout, stderr } = await containerd.ctr(namespace, args);
        assert.equal(status, 0, `ctr ${args.join(" ")}: ${stdout}${stderr}`);
        return stdout.trim();
      };
      const fails = async (...args: readonly string[]): Promise<void> => {
        const { status, stdout, stderr } = await containerd.ctr("refused", args);
        assert.notEqual(status, 0, `ctr ${args.join(" ")} was let in`);
        assert.match(stdout + stderr, /401|403|unauthorized|denied|authorization failed|no basic auth/i);
      };
      const ca = ["--tlscacert", certificates.ca];
      const fetch = ["content", "fetch", "--all-platforms"];
      await ctr("client", ...fetch, ...ca, "--user", alice, seed);
      await ctr("client", "images", "tag", seed, pushed);
      const push = ["images", "push", "--local", ...ca];
      await fails(...fetch, ...ca, seed);
      await fails(...fetch, ...ca, "--user", "alice:guess", seed);
      const { status } = await containerd.ctr("client", [...push, "--user", "bob:secret of bob", pushed]);
      assert.notEqual(status, 0, "bob may not push");
      await ctr("client", ...push, "--user", alice, pushed);
      const hosts = ["--hosts-dir", certs];
      const pull = ["images", "pull", "--snapshotter", "native", "--all-platforms", ...hosts];
      await fails(...pull, pushed);
      await ctr("daemon", ...pull, "--user", "bob:secret of bob", pushed);
      assert.match(await ctr("daemon", "images", "ls"), new RegExp(layout.digests.multi));
      const again = `${host}/team/containerd:2`;
      await ctr("daemon", "images", "tag", pushed, again);
      await ctr("daemon", "images", "push", ...hosts, "--user", alice, again);
      const [one, two] = [pushed, again].map((ref) => [
        "inspect",
        "--format",
        "{{.Digest}}",
        `docker://${ref}`,
      ]);
      assert.equal(await peer("skopeo", one ?? [], { who: "seed" }), layout.digests.multi);
      assert.equal(await peer("skopeo", two ?? [], { who: "seed" }), layout.digests.multi);
    });

    it("curl, with a name and a password and nothing else", async () => {
      const url = `https://${host}/v2/_catalog`;
      const curl = ["--silent", "--show-error", "--fail-with-body", "--cacert", certificates.ca];
      const list = await peer("curl", [...curl, "--user", "bob:secret of bob", url]);
      const { repositories } = JSON.parse(list) as { repositories: string[] };
      assert.equal(repositories.includes("team/oras"), true);
      assert.equal((await tries("curl", [...curl, url], "nobody")).status, 22);
      const manifest = `https://${host}/v2/team/seed/manifests/1`;
      const remove = [...curl, "--request", "DELETE"];
      assert.equal(
        (await tries("curl", [...remove, "--user", "bob:secret of bob", manifest], "nobody")).status,
        22,
      );
      await peer("curl", [...remove, "--user", "alice:secret of alice", manifest]);
      assert.equal(
        (await tries("curl", [...curl, "--user", "alice:secret of alice", manifest], "nobody")).status,
        22,
      );
    });
  });
}
