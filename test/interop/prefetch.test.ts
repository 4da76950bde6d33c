/** Prefetching through containerd's own CRI, from a registry that wants a login. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

import { authorize } from "../../examples/private-registry/authorize.ts";
import { EndpointImages, openCriClient } from "../../src/cri/index.ts";
import { type ServedRegistry, serveRegistry } from "../../src/registry/index.ts";
import { build, dray, type Ran } from "../journeys/prefetch-world.ts";
import { start } from "../processes.ts";
import { findPeer, missingPeers } from "./peers.ts";

/** Snapshots need mounts, and so does the CRI plugin. */
const skip = missingPeers("containerd") || (process.getuid?.() === 0 ? false : "containerd's CRI needs root");

describe("prefetching through containerd's CRI", { skip, timeout: 300_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "dray-pre-"));
  const socket = join(folder, "ctrd.sock");
  const stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  let registry: string;
  let image: string;

  before(async () => {
    const served: ServedRegistry = await serveRegistry({ dir: join(folder, "registry"), port: 0, authorize });
    stack.defer(() => served.close());
    registry = `127.0.0.1:${served.port}`;
    image = `${registry}/me/app:1`;
    mkdirSync(join(folder, "app"));
    writeFileSync(join(folder, "app", "file"), "text");
    await build(folder, image, "app");
    // Where there are layers above layers already, only plain copies work.
    const settings = join(folder, "containerd.toml");
    writeFileSync(
      settings,
      `version = 3\n[plugins."io.containerd.cri.v1.images"]\nsnapshotter = "native"\nuse_local_image_pull = true\nregistry.config_path = "/nowhere"\n[plugins."io.containerd.cri.v1.runtime".cni]\nbin_dirs = [${JSON.stringify(folder)}]\nconf_dir = ${JSON.stringify(folder)}\n`,
    );
    const places = ["--root", join(folder, "root"), "--state", join(folder, "state"), "--address", socket];
    const containerd = start(findPeer("containerd") ?? "containerd", ["--config", settings, ...places]);
    stack.defer(() => containerd.stop());
    await containerd.waitFor(/containerd successfully booted/);
  });
  after(() => stack.disposeAsync());

  const prefetch = (...words: readonly string[]): Promise<Ran> => {
    const node = ["--kubelet-root", "/nonexistent", "--plain-http", "--keep-free", "0"];
    return dray(folder, ["prefetch", "--socket", socket, ...node, ...words]);
  };
  const pinned = async (): Promise<readonly boolean[]> => {
    using client = openCriClient(socket);
    return (await new EndpointImages(client).list()).map((one) => one.pinned);
  };
  const manifests = (password: string): string => {
    const auths = { [registry]: { username: "me", password } };
    const secret = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "pull" },
      type: "kubernetes.io/dockerconfigjson",
      stringData: { ".dockerconfigjson": JSON.stringify({ auths }) },
    };
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "web" },
      spec: { imagePullSecrets: [{ name: "pull" }], containers: [{ name: "app", image }] },
    };
    const file = join(folder, `${password}.yaml`);
    writeFileSync(file, `${JSON.stringify(secret)}\n---\n${JSON.stringify(pod)}\n`);
    return file;
  };

  it("tells why an image doesn't come, as the kubelet tells it of containerd", async () => {
    const { code, out } = await prefetch("-f", manifests("guessed"));
    assert.equal(code, 1);
    assert.match(out, /failed\n {2}Pod default\/web: ErrImagePull: failed to pull and unpack image /);
    assert.match(out, /401 Unauthorized/);
  });

  it("says of containerd where it looks for mirrors", async () => {
    mkdirSync(join(folder, "certs.d", "r.example"), { recursive: true });
    writeFileSync(join(folder, "certs.d", "r.example", "hosts.toml"), 'server = "https://r.example"\n');
    const words = ["doctor", "node", "--socket", socket, "--kubelet-root", folder, "--hosts-dir", "certs.d"];
    const config = ["--containerd-config", "containerd.toml"];
    const { out } = await dray(folder, [...words, ...config, "--no-network", "--json"]);
    const { findings, checked } = JSON.parse(out) as {
      readonly findings: readonly { readonly code: string; readonly what: string }[];
      readonly checked: readonly { readonly what: string }[];
    };
    const codes = findings.map(({ code }) => code);
    assert.ok(codes.includes("HOSTS_NOT_USED") && codes.includes("CRI_NOT_READY"), out);
    assert.match(
      findings.find(({ code }) => code === "HOSTS_NOT_USED")?.what ?? "",
      /containerd at .* looks in \/nowhere$/,
    );
    assert.ok(
      checked.some(({ what }) => /containerd 2\..* images, 0 pinned$/.test(what)),
      out,
    );
  });

  it("refuses to pin where there is no way before anything is pulled", async () => {
    const { code, err } = await prefetch("--pin", "-f", manifests("me-pw"));
    assert.equal(code, 8);
    assert.match(err, /Cannot pin images of containerd: the CRI has no call for it; add --containerd/);
    assert.deepEqual(await pinned(), []);
  });

  it("brings it with the Pod's Secret, and finds its layers there afterwards", async () => {
    const came = await prefetch("-f", manifests("me-pw"), "--json");
    assert.equal(came.code, 0, came.err + came.out);
    const [brought] = (JSON.parse(came.out) as { images: readonly { state: string; digest: string }[] })
      .images;
    assert.equal(brought?.state, "pulled");
    assert.match(brought.digest, /^sha256:/);
    const again = await prefetch("-f", manifests("me-pw"), "--dry-run", "--always", "--json");
    const { budget, endpoint } = JSON.parse(again.out) as {
      readonly budget: { readonly present: number; readonly capacity: number | null };
      readonly endpoint: { readonly runtime: string };
    };
    assert.equal(endpoint.runtime, "containerd");
    assert.ok(budget.present > 0, again.out);
    assert.ok((budget.capacity ?? 0) > 0, "the disk can be seen from here");
  });

  it("pins by containerd's own label, which its CRI then tells", async () => {
    const pin = await prefetch("--containerd", socket, "--pin", "-f", manifests("me-pw"));
    assert.equal(pin.code, 0, pin.err);
    assert.match(pin.out, /present {2}\S+ \S+ {2}pinned\n$/);
    await until(async () => (await pinned())[0] === true);
    const listed = await prefetch("--containerd", socket, "--list-pins");
    assert.equal(listed.out.split("\n").includes(image), true, listed.out);
    const unpin = await prefetch("--containerd", socket, "--unpin", image);
    assert.equal(unpin.out, `${image}  unpinned\n`);
    await until(async () => (await pinned())[0] === false);
  });
});

/** containerd's CRI hears of changes to its images by events. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await holds())) assert.ok(performance.now() < deadline, "it didn't come to hold");
}
