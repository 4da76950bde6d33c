/** What goes wrong on the way into containerd has a code, leaves nothing behind, and the next pull goes well. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

import { ConnectError } from "@connectrpc/connect";

import { CODE_TRAILER, codeName } from "../../src/cri/index.ts";
import { attempt, ROOT } from "../processes.ts";
import {
  eventually,
  type Dray,
  type LabContainerd,
  LabImages,
  noise,
  startContainerd,
  startDray,
} from "./containerd-lab.ts";
import { missingPeers } from "./peers.ts";

const skip = process.getuid?.() === 0 ? missingPeers("containerd") : "containerd needs root";

describe("dray cri over containerd, when something fails", { skip, timeout: 300_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "df-"));
  const disk = join(folder, "c");
  let images: LabImages;
  let containerd: LabContainerd;
  let dray: Dray;

  before(async () => {
    images = await LabImages.start();
    mkdirSync(disk);
    mkdirSync(join(folder, "d"));
    // A disk that is soon full.
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=24m", "tmpfs", disk]);
    containerd = await startContainerd(join(disk, "c"), { sandbox: "none:1" });
    dray = await startDray(join(folder, "d"), containerd.socket);
  });
  after(async () => {
    await dray[Symbol.asyncDispose]();
    await containerd[Symbol.asyncDispose]();
    await images[Symbol.asyncDispose]();
    execFileSync("umount", ["--lazy", disk]);
    rmSync(folder, { recursive: true, force: true });
  });

  /** How gRPC and we call what went wrong. */
  async function failureOf(image: string): Promise<readonly string[]> {
    try {
      await dray.cri.images.pullImage({ image: { image: `${images.host}/${image}` } });
    } catch (error) {
      const failure = ConnectError.from(error);
      return [codeName(failure.code), failure.metadata.get(CODE_TRAILER) ?? ""];
    }
    return ["OK", ""];
  }

  /** A full disk is no place to keep something for later. */
  async function goesOn(): Promise<void> {
    await eventually(async () => assert.deepEqual(await containerd.leftovers(), []));
    await eventually(async () => assert.deepEqual((await containerd.dump()).content, []));
    await pullSmall();
  }

  async function pullSmall(): Promise<void> {
    await images.add("small:1", { layers: [[{ name: "a", data: "a" }]] });
    assert.deepEqual(await failureOf("small:1"), ["OK", ""]);
    await dray.cri.images.removeImage({ image: { image: `${images.host}/small:1` } });
  }

  it("says that the disk is full, whether for content or for what comes out of it, and goes on", async () => {
    await images.add("large:1", { layers: [[{ name: "noise", data: noise("large", 30_000_000) }]] });
    assert.deepEqual(await failureOf("large:1"), ["Unknown", "NO_SPACE"]);
    await goesOn();
    await images.add("grows:1", { layers: [[{ name: "zeros", data: Buffer.alloc(40_000_000) }]] });
    assert.deepEqual(await failureOf("grows:1"), ["Unknown", "NO_SPACE"]);
    await goesOn();
  });

  it("refuses a layer with other bytes than its digest says, and keeps none of them", async () => {
    const { layers } = await images.add("forged:1", {
      layers: [[{ name: "n", data: noise("forged", 100_000) }]],
    });
    images.intercept = ({ url, method }) =>
      url.endsWith(layers[0] ?? "-") && method === "GET" ? { body: noise("other", 100_242) } : undefined;
    const [, code] = await failureOf("forged:1");
    assert.match(code ?? "", /^(?:DIGEST_INVALID|SIZE_INVALID)$/);
    images.intercept = ({ url, method, headers }) => {
      if (!url.endsWith(layers[0] ?? "-") || method !== "GET" || headers["range"] !== undefined)
        return undefined;
      return undefined;
    };
    assert.deepEqual(await failureOf("forged:1"), ["OK", ""], "the right bytes come from the start");
  });

  it("refuses layers that nobody should unpack, or that hold something else than the config says", async () => {
    const good = [{ name: "a", data: "a" }];
    await images.add("nowhere:1", { layers: [good, [{ name: "l", type: "link", linkname: "../etc/none" }]] });
    assert.deepEqual(await failureOf("nowhere:1"), ["Unknown", "ARCHIVE_INVALID"]);
    await images.add("other:1", { layers: [good], diffIds: [`sha256:${"0".repeat(64)}`] });
    assert.deepEqual(await failureOf("other:1"), ["Unknown", "IMAGE_INVALID"]);
    const left = (await containerd.leftovers()).filter((line) => !line.startsWith("lease"));
    assert.deepEqual(left, []);
  });

  it("gives up on a registry that stalls near the end, and goes on there", async () => {
    const { layers } = await images.add("slow:1", {
      layers: [[{ name: "n", data: noise("slow", 3_000_000) }]],
    });
    images.intercept = ({ url, method, headers }) => {
      if (!url.endsWith(layers[0] ?? "-") || method !== "GET") return undefined;
      // The connection is cut, and whoever asks for the rest waits for ever.
      if (headers["range"] === undefined) return { ...images.serve(layers[0] ?? ""), cutAfter: 2_970_000 };
      return { silent: true };
    };
    // Nobody else is to be in such a hurry on a machine that may be busy.
    await dray[Symbol.asyncDispose]();
    dray = await startDray(join(folder, "d"), containerd.socket, "--pull-progress-timeout", "3s");
    assert.deepEqual(await failureOf("slow:1"), ["Canceled", "PULL_STALLED"]);
    images.intercept = () => undefined;
    // An orderly restart is no reason to fetch it all again, either.
    await dray[Symbol.asyncDispose]();
    dray = await startDray(join(folder, "d"), containerd.socket);
    images.forget();
    assert.deepEqual(await failureOf("slow:1"), ["OK", ""]);
    const [range] = images.ranges(layers[0] ?? "");
    assert.ok(Number(/[0-9]+/.exec(range ?? "")?.[0]) > 2_000_000, "only the rest comes over");
    assert.deepEqual(
      (await containerd.leftovers()).filter((line) => !line.startsWith("lease")),
      [],
    );
  });

  it("says that containerd isn't there, and serves again when it is back", async () => {
    const args = ["cri", "--containerd", join(folder, "none.sock"), "--socket", join(folder, "x.sock")];
    const ended = await attempt(process.execPath, [
      join(ROOT, "bin", "dray.js"),
      ...args,
      "--data-dir",
      join(folder, "x"),
    ]);
    assert.equal(ended.status, 8, ended.stderr);
    assert.match(ended.stderr, /CONTAINERD_UNAVAILABLE|containerd does not answer/);
    await containerd.restart();
    await pullSmall();
  });
});
