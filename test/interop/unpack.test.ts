/**
 * An image of several layers, made with buildah out of everything a layer can hold, and unpacked: what dray makes of
 * it is what podman's store and containerd's snapshotter make of it, to the owner, mode, second and attribute.
 */
import assert from "node:assert/strict";
import { chmodSync, chownSync, linkSync, lstatSync, lutimesSync, mkdirSync, mkdtempSync } from "node:fs";
import { readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

import { type AttributeHelper, startHelper } from "../../src/unpack/attribute-helper.ts";
import { removeTree } from "../../src/unpack/remove-tree.ts";
import { describeFolder } from "../../src/unpack/testing.ts";
import { attempt, type Ended, ROOT, run } from "../processes.ts";
import { startContainerd } from "./containerd.ts";
import { findPeer, missingPeers } from "./peers.ts";

const folder = mkdtempSync(join(tmpdir(), "dray-unpack-"));
after(() => removeTree(folder));

const DRAY = join(ROOT, "bin", "dray.js");
const env: NodeJS.ProcessEnv = {
  PATH: process.env["PATH"],
  HOME: folder,
  XDG_DATA_HOME: join(folder, "data"),
};
const storage = (name: string): readonly string[] => [
  `--root=${join(folder, name, "root")}`,
  `--runroot=${join(folder, name, "run")}`,
  "--storage-driver=vfs",
];

/** `cap_net_raw+ep`, as the kernel keeps it. */
const CAPABILITY = Buffer.from("0100000200200000000000000000000000000000", "hex");
const ATTRIBUTES = ["security.capability", "user.note"];
const NAMES = {
  long: `${"directory-".repeat(12)}/${"name-".repeat(30)}`,
  odd: "sp ace\tü\u{1f4e6}'\"\\n",
};
const ID = 1_234_567;

/** A layer each: what is done to the files of an image. */
const LAYERS: readonly ((root: string, helper: AttributeHelper) => Promise<void>)[] = [
  async (root, helper) => {
    const at = (path: string): string => join(root, path);
    const put = (path: string, text: string, mode = 0o644): void => {
      mkdirSync(join(at(path), ".."), { recursive: true });
      writeFileSync(at(path), text);
      chmodSync(at(path), mode);
    };
    put("usr/bin/ping", "#!ping", 0o755);
    await helper.setXattr(at("usr/bin/ping"), "security.capability", CAPABILITY);
    put("usr/bin/su", "#!su");
    chownSync(at("usr/bin/su"), 0, 42);
    chmodSync(at("usr/bin/su"), 0o6755);
    linkSync(at("usr/bin/su"), at("usr/bin/sg"));
    put("etc/config", "first");
    put("etc/dropped", "gone later");
    put("etc/cache/one", "1");
    put("etc/cache/sub/two", "2");
    put("var/log/app.log", "log", 0o600);
    chownSync(at("var/log/app.log"), ID, ID + 1);
    await helper.setXattr(at("var/log/app.log"), "user.note", Buffer.from("note \0 with zero"));
    mkdirSync(at("tmp"));
    chmodSync(at("tmp"), 0o1777);
    put(NAMES.long, "long");
    put(NAMES.odd, "odd");
    put("empty", "");
    put("closed/file", "c", 0o000);
    chmodSync(at("closed"), 0o000);
    symlinkSync("usr/bin", at("bin"));
    symlinkSync("/does/not/exist", at("dangling"));
    symlinkSync(`../${"far/".repeat(40)}`, at("far"));
    put("becomes-folder", "file");
    put("becomes-link/inside", "x");
    put("stays/behind", "s");
    await helper.makeNode(at("null"), { type: "character-device", major: 1, minor: 3 });
    await helper.makeNode(at("loop300"), { type: "block-device", major: 7, minor: 300 });
    await helper.makeNode(at("pipe"), { type: "fifo", major: 0, minor: 0 });
    chownSync(at("pipe"), 7, 8);
    lutimesSync(at("dangling"), 1_000_000_000, 1_000_000_000);
    lutimesSync(at("usr/bin"), 1_100_000_000, 1_100_000_000);
  },
  async (root, helper) => {
    const at = (path: string): string => join(root, path);
    rmSync(at("etc/dropped"));
    rmSync(at("etc/cache"), { recursive: true });
    mkdirSync(at("etc/cache/fresh"), { recursive: true });
    writeFileSync(at("etc/cache/three"), "3");
    writeFileSync(at("etc/config"), "second");
    rmSync(at("becomes-folder"));
    mkdirSync(at("becomes-folder"), { mode: 0o2750 });
    rmSync(at("becomes-link"), { recursive: true });
    symlinkSync("stays", at("becomes-link"));
    rmSync(at("usr/bin/sg"));
    linkSync(at("usr/bin/ping"), at("usr/bin/ping6"));
    await helper.setXattr(at("etc/config"), "user.note", Buffer.from("second"));
  },
  async (root) => {
    const at = (path: string): string => join(root, path);
    rmSync(at("usr/bin/ping"));
    rmSync(at("becomes-link"));
    mkdirSync(at("becomes-link"));
    writeFileSync(at("becomes-link/again"), "a");
    renameSync(at("stays/behind"), at("stays/moved"));
    rmSync(at("null"));
    rmSync(at("pipe"));
    writeFileSync(at("pipe"), "a file now");
    chmodSync(at("var/log"), 0o750);
    chownSync(at("var/log"), ID, ID);
  },
];

const needed = missingPeers("buildah", "podman", "containerd", "ctr");
const skip = process.geteuid?.() === 0 ? needed : "owners and devices are root's to give";

describe("an image of buildah's, unpacked", { skip, timeout: 500_000 }, () => {
  let unpacked: string;
  let archive: string;
  let layers: readonly string[];
  let diffIds: readonly string[];

  const buildah = async (...args: readonly string[]): Promise<string> =>
    await run(findPeer("buildah") ?? "", [...storage("build"), ...args], {
      env: { ...process.env, BUILDAH_ISOLATION: "chroot" },
    });
  const dray = async (...args: readonly string[]): Promise<Ended> =>
    await attempt(process.execPath, [DRAY, ...args], { cwd: folder, env });

  before(async () => {
    const helper = startHelper();
    assert.ok(helper);
    let from = ["scratch"];
    for (const [index, change] of LAYERS.entries()) {
      const container = await buildah("from", ...from);
      await change(await buildah("mount", container), helper);
      await buildah("commit", "--quiet", container, `layer${index}`);
      from = ["--pull-never", `layer${index}`];
    }
    await helper.close();
    archive = join(folder, "image.tar");
    await buildah("push", `layer${LAYERS.length - 1}`, `oci:${join(folder, "layout")}:it`);
    await buildah("push", `layer${LAYERS.length - 1}`, `oci-archive:${archive}:example.test/it:1`);
    const manifest = JSON.parse((await dray("manifest", "oci:layout:it")).stdout) as {
      layers: { digest: string }[];
    };
    layers = manifest.layers.map(({ digest }) => digest);
    const config = JSON.parse((await dray("config", "oci:layout:it")).stdout) as {
      rootfs: { diff_ids: string[] };
    };
    diffIds = config.rootfs.diff_ids;
    unpacked = join(folder, "unpacked");
    const ended = await dray("unpack", "oci:layout:it", unpacked);
    assert.deepEqual([ended.status, ended.stderr], [0, ""]);
  });

  /** Every file, and the attributes that layers carry. */
  async function look(root: string): Promise<readonly string[]> {
    const helper = startHelper();
    const lines: string[] = [];
    const walk = async (path: string): Promise<void> => {
      for (const name of readdirSync(path)) {
        const below = join(path, name);
        for (const attribute of ATTRIBUTES) {
          const value = await helper?.getXattr(below, attribute);
          if (value instanceof Uint8Array) {
            lines.push(`${below.slice(root.length)} ${attribute} ${Buffer.from(value).toString("hex")}`);
          }
        }
        if (lstatSync(below).isDirectory()) await walk(below);
      }
    };
    await walk(root);
    await helper?.close();
    return [...describeFolder(root, { times: true }), ...lines.sort()];
  }

  it("has what was put into it, and nothing that was taken away", async () => {
    assert.equal(layers.length, LAYERS.length);
    const lines = await look(unpacked);
    assert.ok(
      lines.some((line) => line.startsWith("/usr/bin/ping6 security.capability 0100000200200000")),
      lines.join("\n"),
    );
    assert.ok(lines.some((line) => line.startsWith("/var/log/app.log user.note")));
    assert.equal(lstatSync(join(unpacked, "usr/bin/su")).mode & 0o7777, 0o6755);
    assert.deepEqual(readdirSync(join(unpacked, "etc/cache")).sort(), ["fresh", "three"]);
    assert.equal(readFileSync(join(unpacked, "etc/config"), "utf8"), "second");
    assert.equal(readFileSync(join(unpacked, NAMES.long), "utf8"), "long");
    for (const gone of ["etc/dropped", "null", "usr/bin/ping", "usr/bin/sg", "stays/behind"]) {
      assert.equal(lstatSync(join(unpacked, gone), { throwIfNoEntry: false }), undefined, gone);
    }
  });

  it("is what podman's store makes of it", async () => {
    await run(findPeer("podman") ?? "", [
      ...storage("podman"),
      "pull",
      "--quiet",
      `oci:${join(folder, "layout")}:it`,
    ]);
    const root = join(folder, "podman", "root");
    const known = JSON.parse(readFileSync(join(root, "vfs-layers", "layers.json"), "utf8")) as readonly {
      readonly id: string;
      readonly "diff-digest": string;
    }[];
    const top = known.find((layer) => layer["diff-digest"] === diffIds.at(-1));
    assert.ok(top);
    assert.deepEqual(await look(unpacked), await look(join(root, "vfs", "dir", top.id)));
  });

  it("is what containerd's snapshotter makes of it", async () => {
    const place = join(folder, "c");
    await using containerd = await startContainerd(place);
    const ctr = async (...args: readonly string[]): Promise<string> => {
      const ended = await containerd.ctr("test", args);
      assert.equal(ended.status, 0, ended.stderr);
      return ended.stdout;
    };
    await ctr("images", "import", "--local", "--snapshotter", "native", archive);
    const snapshots = (await ctr("snapshots", "--snapshotter", "native", "ls")).trim().split("\n").slice(1);
    const rows = snapshots.map((line) => line.trim().split(/\s+/));
    const top = rows.map(([key]) => key).find((key) => rows.every(([, parent]) => parent !== key));
    await ctr("snapshots", "--snapshotter", "native", "view", "look", top ?? "");
    const mount = await ctr("snapshots", "--snapshotter", "native", "mounts", "/nowhere", "look");
    const source = / (\S+\/snapshots\/\d+) /.exec(mount)?.[1] ?? "";
    // That snapshotter copies what is below each layer, and its copies of folders are as old as the copying.
    const ageless = (lines: readonly string[]): readonly string[] =>
      lines.map((line) => line.replace(/^(\[".*","4[0-7]{4}",.*),"\d+"\]$/, "$1]"));
    assert.deepEqual(ageless(await look(unpacked)), ageless(await look(source)));
  });

  it("is the same from a registry's store and from an archive", async () => {
    const copied = await dray("copy", `oci-archive:${archive}`, "store:it:1");
    assert.equal(copied.status, 0, copied.stderr);
    const ended = await dray("unpack", "--strict", "store:it:1", join(folder, "again"));
    assert.equal(ended.status, 0, ended.stderr);
    assert.deepEqual(await look(join(folder, "again")), await look(unpacked));
  });
});
