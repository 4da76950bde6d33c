/** Stock clients push to dray's registry and pull from it; what arrives is what left, byte for byte. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

import { serveRegistry, type ServedRegistry } from "../../src/registry/index.ts";
import { run } from "../processes.ts";
import { findPeer, missingPeers } from "./peers.ts";
import { readBlobs, type SampleLayout, writeSampleLayout } from "./sample-images.ts";

const TAGS = ["multi", "gzip", "zstd"] as const;

describe(
  "stock clients and dray's registry",
  { skip: missingPeers("crane", "oras", "skopeo", "podman") },
  () => {
    const folder = mkdtempSync(join(tmpdir(), "dray-clients-"));
    let layout: SampleLayout;
    let registry: ServedRegistry;
    let host: string;

    before(async () => {
      layout = await writeSampleLayout(join(folder, "layout"));
      registry = await serveRegistry({ dir: join(folder, "registry"), port: 0 });
      host = `127.0.0.1:${registry.port}`;
    });
    after(async () => {
      await registry.close();
      rmSync(folder, { recursive: true, force: true });
    });

    const peer = async (program: string, ...args: readonly string[]): Promise<string> =>
      await run(findPeer(program) ?? program, args, { env: { ...process.env, HOME: folder } });

    /** Asks the registry, and hashes what it answers. */
    const digestAt = async (repository: string, tag: string): Promise<string> =>
      await peer("crane", "digest", "--insecure", `${host}/${repository}:${tag}`);

    for (const tag of TAGS) {
      it(`skopeo pushes and pulls ${tag}`, async () => {
        const there = `docker://${host}/skopeo/sample:${tag}`;
        const flags = tag === "multi" ? ["--all", "--preserve-digests"] : ["--preserve-digests"];
        await peer(
          "skopeo",
          "copy",
          ...flags,
          "--dest-tls-verify=false",
          `oci:${layout.folder}:${tag}`,
          there,
        );
        assert.equal(await digestAt("skopeo/sample", tag), layout.digests[tag]);
        await peer(
          "skopeo",
          "copy",
          ...flags,
          "--src-tls-verify=false",
          there,
          `oci:${join(folder, `skopeo-${tag}`)}:x`,
        );
        expectSame(join(folder, `skopeo-${tag}`), tag);
      });

      it(`oras pushes and pulls ${tag}`, async () => {
        const there = `${host}/oras/sample:${tag}`;
        await peer("oras", "cp", "--from-oci-layout", "--to-plain-http", `${layout.folder}:${tag}`, there);
        assert.equal(await digestAt("oras/sample", tag), layout.digests[tag]);
        await peer(
          "oras",
          "cp",
          "--from-plain-http",
          "--to-oci-layout",
          there,
          `${join(folder, `oras-${tag}`)}:x`,
        );
        expectSame(join(folder, `oras-${tag}`), tag);
      });

      it(`crane pulls and pushes ${tag}`, async () => {
        // crane pushes layouts that hold one image: its own, from what oras pushed under another name.
        const from = `${host}/crane/source:${tag}`;
        await peer("oras", "cp", "--from-oci-layout", "--to-plain-http", `${layout.folder}:${tag}`, from);
        const pulled = join(folder, `crane-${tag}`);
        await peer("crane", "pull", "--insecure", "--format=oci", from, pulled);
        expectSame(pulled, tag);
        const flags = tag === "multi" ? ["--index"] : [];
        await peer("crane", "push", "--insecure", ...flags, pulled, `${host}/crane/sample:${tag}`);
        assert.equal(
          await digestAt("crane/sample", tag),
          tag === "multi" ? await digestOfIndex(pulled) : layout.digests[tag],
        );
        const again = join(folder, `crane-again-${tag}`);
        await peer("crane", "pull", "--insecure", "--format=oci", `${host}/crane/sample:${tag}`, again);
        for (const [digest, size] of blobsOf(tag)) assert.equal(readBlobs(again).get(digest), size);
      });

      it(`podman pulls and pushes ${tag}`, async () => {
        const from = `${host}/podman/source:${tag}`;
        await peer("oras", "cp", "--from-oci-layout", "--to-plain-http", `${layout.folder}:${tag}`, from);
        const home = join(folder, `podman-${tag}`);
        const podman = async (...args: readonly string[]): Promise<string> =>
          await peer(
            "podman",
            "--root",
            join(home, "root"),
            "--runroot",
            join(home, "run"),
            "--storage-driver",
            "vfs",
            ...args,
          );
        await podman("pull", "--quiet", "--tls-verify=false", from);
        const image = tag === "multi" ? layout.digests.gzip : layout.digests[tag];
        assert.equal(await podman("image", "inspect", "--format", "{{.Digest}}", from), image);
        const file = join(folder, `podman-${tag}.digest`);
        await podman(
          "push",
          "--quiet",
          "--tls-verify=false",
          "--digestfile",
          file,
          from,
          `${host}/podman/sample:${tag}`,
        );
        assert.equal(await digestAt("podman/sample", tag), readFileSync(file, "utf8").trim());
        // A second image storage that hasn't seen the registry has nothing to mount from, and uploads.
        const other = ["--root", join(home, "other")];
        const imported = await podman(...other, "pull", "--quiet", `oci:${layout.folder}:${tag}`);
        const uploaded = `${host}/podman/uploaded-${tag}:x`;
        await podman(...other, "push", "--quiet", "--tls-verify=false", imported, uploaded);
        await podman("rmi", "--all", "--force");
        await podman("pull", "--quiet", "--tls-verify=false", uploaded);
        assert.equal(
          await podman("image", "inspect", "--format", "{{.RootFS.Layers}}", uploaded),
          `[${diffIdsOf(tag).join(" ")}]`,
          "the layers' uncompressed content is what the sample was made with",
        );
      });
    }

    /** The digests and sizes a tag reaches in the sample. */
    function blobsOf(tag: (typeof TAGS)[number]): ReadonlyMap<string, number> {
      const all = readBlobs(layout.folder);
      const found = new Map<string, number>();
      const visit = (digest: string): void => {
        const hex = digest.slice("sha256:".length);
        found.set(hex, all.get(hex) ?? -1);
        const document = readDocument(digest);
        for (const child of document.manifests ?? []) visit(child.digest);
        for (const leaf of [
          ...(document.layers ?? []),
          ...(document.config === undefined ? [] : [document.config]),
        ]) {
          const name = leaf.digest.slice("sha256:".length);
          found.set(name, all.get(name) ?? -1);
        }
      };
      visit(layout.digests[tag]);
      return found;
    }

    function diffIdsOf(tag: (typeof TAGS)[number]): readonly string[] {
      const config = readDocument(tag === "multi" ? layout.digests.gzip : layout.digests[tag]).config;
      return readDocument(config?.digest ?? "").rootfs?.diff_ids ?? [];
    }

    function readDocument(digest: string): {
      readonly manifests?: readonly { readonly digest: string }[];
      readonly layers?: readonly { readonly digest: string }[];
      readonly config?: { readonly digest: string };
      readonly rootfs?: { readonly diff_ids: readonly string[] };
    } {
      return JSON.parse(readFileSync(join(layout.folder, "blobs", ...digest.split(":")), "utf8"));
    }

    /** `pulled` is a layout that holds exactly what the tag reaches. */
    function expectSame(pulled: string, tag: (typeof TAGS)[number]): void {
      assert.deepEqual(readBlobs(pulled), blobsOf(tag));
    }

    /** `crane push --index` pushes the layout's own index.json. */
    async function digestOfIndex(pulled: string): Promise<string> {
      const { createHash } = await import("node:crypto");
      return `sha256:${createHash("sha256")
        .update(readFileSync(join(pulled, "index.json")))
        .digest("hex")}`;
    }
  },
);
