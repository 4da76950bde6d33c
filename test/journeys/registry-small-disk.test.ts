/**
 * A registry on a disk that is really too small, a memory filesystem of some megabytes: pushes fill it to the last
 * byte, the process is killed, and each time everything acknowledged is there, deleting makes room, and it goes on.
 * `DRAY_ROUNDS` says how often. Needs Linux and root, for a mount that only these processes see.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { digestOf, MEDIA_TYPES, type Digest } from "../../src/oci/index.ts";

const ROUNDS = Number(process.env["DRAY_ROUNDS"] ?? 3);
const SIZE = 12_000_000;
const CHUNK = 150_000;

const dir = mkdtempSync(join(tmpdir(), "dray-small-"));
after(() => rmSync(dir, { recursive: true, force: true }));

const SERVER = `
  import { checkRegistryDirectory, serveRegistry } from ${JSON.stringify(import.meta.resolve("../../src/registry/index.ts"))};
  const dir = ${JSON.stringify(join(dir, "disk"))};
  let later = Number(process.argv[1]);
  const collection = { grace: 60_000, pauseTime: 0 };
  const clock = () => Date.now() + later;
  const served = await serveRegistry({ dir, port: 0, clock, collection });
  console.log(served.port);
  process.stdin.on("data", async (line) => {
    const [question, now] = String(line).trim().split(" ");
    later = Number(now);
    try {
      if (question === "check") {
        const { left } = await checkRegistryDirectory(dir);
        console.log(JSON.stringify(left));
      } else {
        await served.registry.purgeUploads();
        console.log(JSON.stringify((await served.registry.collect()).collected.freed));
      }
    } catch (error) {
      console.log(JSON.stringify({ failed: String(error) }));
    }
  });
`;

/** Keeps the mount until its input ends, which it does at the latest with this process. */
async function mountSmallDisk(): Promise<ChildProcess> {
  const disk = join(dir, "disk");
  const script = `mkdir "$0" && mount -t tmpfs -o size=${SIZE} tmpfs "$0" && echo ready && read line`;
  const child = spawn("unshare", ["--mount", "--propagation", "private", "sh", "-c", script, disk], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await once(child.stdout as NodeJS.ReadableStream, "data");
  return child;
}

/** How far the registry's time is ahead of ours, in milliseconds; it goes on where it was in the next process. */
let later = 0;

class Server {
  readonly #child: ChildProcess;
  readonly base: string;

  private constructor(child: ChildProcess, port: string) {
    this.#child = child;
    this.base = `http://127.0.0.1:${Number(port)}/v2/app`;
  }

  static async start(disk: ChildProcess): Promise<Server> {
    const within = ["--target", String(disk.pid), "--mount", process.execPath, "--input-type=module"];
    const child = spawn("nsenter", [...within, "--eval", SERVER, String(later)], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    return new Server(child, await readLine(child));
  }

  async ask(question: "collect" | "check"): Promise<unknown> {
    later += 600_000;
    this.#child.stdin?.write(`${question} ${later}\n`);
    return JSON.parse(await readLine(this.#child)) as unknown;
  }

  async kill(): Promise<void> {
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }
}

async function readLine(child: ChildProcess): Promise<string> {
  const ended = once(child, "exit").then(() => assert.fail("the server ended"));
  const line = once(child.stdout as NodeJS.ReadableStream, "data").then(([chunk]) => String(chunk));
  ended.catch(() => {});
  return await Promise.race([line, ended]);
}

const missing =
  process.platform !== "linux" || process.getuid?.() !== 0 || spawnSync("nsenter", ["--version"]).status !== 0
    ? "needs Linux, root, unshare and nsenter"
    : spawnSync("unshare", ["--mount", "mount", "-t", "tmpfs", "tmpfs", dir]).status !== 0 &&
      "may not mount anything here";

test(
  `full ${ROUNDS} times to the last byte, killed, and usable again`,
  { skip: missing, timeout: 600_000 },
  async (t) => {
    const disk = await mountSmallDisk();
    t.after(() => disk.stdin?.end());
    let server = await Server.start(disk);
    t.after(() => server.kill());
    const held = new Map<string, Digest>();
    const send = async (method: string, path: string, body?: Buffer | string): Promise<Response> => {
      const bytes = body === undefined ? undefined : new Uint8Array(Buffer.from(body));
      return await fetch(`${server.base}${path}`, { method, ...(bytes && { body: bytes }) });
    };
    let serial = 0;
    /** Whether there was room. */
    const push = async (size: number): Promise<boolean> => {
      const tag = `t${++serial}`;
      const bytes = Buffer.alloc(size, `${tag} `);
      const digest = digestOf(bytes);
      const pushed = await send("POST", `/blobs/uploads/?digest=${digest}`, bytes);
      const text = await pushed.text();
      if (pushed.status === 503) return false;
      assert.equal(pushed.status, 201, text);
      const config = { mediaType: MEDIA_TYPES.ociConfig, digest, size };
      const document = JSON.stringify({
        schemaVersion: 2,
        mediaType: MEDIA_TYPES.ociManifest,
        config,
        layers: [],
      });
      const tagged = await send("PUT", `/manifests/${tag}`, document);
      const why = await tagged.text();
      if (tagged.status === 503) return false;
      assert.equal(tagged.status, 201, why);
      held.set(tag, digestOf(document));
      return true;
    };
    const fill = async (): Promise<number> => {
      let refused = 0;
      for (let size = CHUNK; size >= 1; size = Math.floor(size / 4)) {
        while (await push(size));
        refused++;
      }
      return refused;
    };
    for (let round = 0; round < ROUNDS; round++) {
      assert.ok((await fill()) > 0);
      await server.kill();
      server = await Server.start(disk);
      for (const [tag, digest] of held) {
        const answer = await send("GET", `/manifests/${tag}`);
        const text = await answer.text();
        assert.deepEqual([answer.status, digestOf(text)], [200, digest], tag);
        const { config } = JSON.parse(text) as { readonly config: { readonly digest: Digest } };
        const blob = await send("GET", `/blobs/${config.digest}`);
        assert.equal(digestOf(Buffer.from(await blob.arrayBuffer())), config.digest);
      }
      for (const [tag, digest] of [...held].filter((_, index) => index % 2 === 0)) {
        const gone = await send("DELETE", `/manifests/${digest}`);
        assert.equal(gone.status, 202, `deleting ${tag} of a full disk: ${await gone.text()}`);
        held.delete(tag);
      }
      const freed = (await server.ask("collect")) as { readonly count: number };
      assert.ok(freed.count > 0, JSON.stringify(freed));
      assert.ok(await push(CHUNK), "there is room again");
    }
    assert.equal(await server.ask("check"), 0);
    t.diagnostic(`${serial} pushes, ${held.size} held in the end`);
  },
);
