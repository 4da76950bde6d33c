/** How many connections a large blob may have, as the command line says it. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { run } from "../../src/cli/run.ts";
import { createMemoryContext } from "../../src/cli/testing.ts";
import { type Descriptor, digestOf, MEDIA_TYPES } from "../../src/oci/index.ts";

const LIMIT = { timeout: 60_000 };
const MIB = 1024 * 1024;
/** Large enough that what is missing after the first piece is worth another connection. */
const LAYER = Buffer.alloc(40 * MIB, "layer ");
const PIECE = 64 * 1024;

/**
 * An image of one layer, which comes in two pieces: as much of a slow registry as a clock that leaps can see. Whoever
 * reads it in parts has asked for two of them, and so has agreed to, before the second piece comes.
 */
class TwoPieces {
  /** The ranges that were asked for, without those that have no end. */
  readonly ranges: string[] = [];
  #patient = false;
  #agreed = Promise.withResolvers<void>();
  readonly #contents = new Map<string, { readonly mediaType: string; readonly bytes: Buffer }>();
  readonly #manifest: Descriptor;
  readonly #server = createServer((request, response) => this.#answer(request, response));

  constructor() {
    const layer = this.#keep(MEDIA_TYPES.ociLayer.replace("+gzip", ""), LAYER);
    const config = this.#keep(
      MEDIA_TYPES.ociConfig,
      Buffer.from(
        JSON.stringify({
          os: "linux",
          architecture: process.arch === "arm64" ? "arm64" : "amd64",
          config: {},
          rootfs: { type: "layers", diff_ids: [layer.digest] },
        }),
      ),
    );
    const manifest = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config, layers: [layer] };
    this.#manifest = this.#keep(MEDIA_TYPES.ociManifest, Buffer.from(JSON.stringify(manifest)));
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  get image(): string {
    return `localhost:${(this.#server.address() as AddressInfo).port}/large:1`;
  }

  /** @param splits whether whoever comes now is to read in parts */
  expect({ splits }: { readonly splits: boolean }): void {
    this.ranges.length = 0;
    this.#patient = splits;
    this.#agreed = Promise.withResolvers();
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #keep(mediaType: string, bytes: Buffer): Descriptor {
    const digest = digestOf(bytes);
    this.#contents.set(digest, { mediaType, bytes });
    return { mediaType, digest, size: bytes.length };
  }

  #answer({ url = "", headers, method }: IncomingMessage, response: ServerResponse): void {
    const object = url.slice(url.lastIndexOf("/") + 1);
    const content = this.#contents.get(object.includes(":") ? object : this.#manifest.digest);
    if (content === undefined || url === "/v2/") return void response.writeHead(200).end("{}");
    const { bytes, mediaType } = content;
    const [, from, to] = /^bytes=([0-9]+)-([0-9]*)$/.exec(headers.range ?? "") ?? [];
    const common = { "content-type": mediaType, "docker-content-digest": digestOf(bytes) };
    if (from !== undefined && to) {
      if (this.ranges.push(`${from}-${to}`) === 2) this.#agreed.resolve();
      const part = bytes.subarray(Number(from), Number(to) + 1);
      const range = `bytes ${from}-${to}/${bytes.length}`;
      response.writeHead(206, { ...common, "content-range": range, "content-length": part.length });
      return void response.end(part);
    }
    response.writeHead(200, { ...common, "content-length": bytes.length });
    if (method === "HEAD") return void response.end();
    if (bytes !== LAYER) return void response.end(bytes);
    const rest = (): void => void response.end(bytes.subarray(PIECE));
    response.write(bytes.subarray(0, PIECE), () => {
      if (this.#patient) void this.#agreed.promise.then(rest);
      else setImmediate(rest);
    });
  }
}

describe("--blob-connections", LIMIT, () => {
  const registry = new TwoPieces();
  let folder: string;
  let count = 0;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "dray-split-"));
    await registry.listen();
  });
  after(async () => {
    await registry.close();
    await rm(folder, { recursive: true });
  });

  async function dray(
    ...words: readonly string[]
  ): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
    registry.expect({ splits: !words.join(" ").includes("--blob-connections 1") });
    let now = 0;
    // Every look at the clock is a second later: whatever comes, comes slowly.
    const clock = (): number => (now += 1000);
    const context = createMemoryContext({ cwd: folder, home: folder, env: {}, now: clock });
    const code = await run(words, context);
    return { code, out: context.stdout.text, err: context.stderr.text };
  }
  const pull = (...words: readonly string[]): ReturnType<typeof dray> =>
    dray("pull", "--quiet", "--debug", "--data-dir", `data-${count++}`, ...words, registry.image);
  const splitsOf = (err: string): readonly number[] =>
    [...err.matchAll(/"type":"split".*?"connections":([0-9]+)/g)].map(([, number]) => Number(number));

  test("says over how many connections a blob that comes slowly is read", LIMIT, async () => {
    const usual = await pull();
    assert.deepEqual([usual.code, splitsOf(usual.err)], [0, [4]], usual.err);
    const two = await pull("--blob-connections", "2");
    assert.deepEqual([two.code, splitsOf(two.err)], [0, [2]], two.err);
  });

  test("of 1 asks for no part of it", LIMIT, async () => {
    const { code, err } = await pull("--blob-connections", "1");
    assert.deepEqual([code, splitsOf(err), registry.ranges], [0, [], []], err);
  });

  test("is heeded by whatever else fetches layers", LIMIT, async () => {
    const layout = await dray("copy", "-q", "--debug", "--blob-connections", "3", registry.image, "oci:l:1");
    assert.deepEqual([layout.code, splitsOf(layout.err)], [0, [3]], layout.err);
    const digest = digestOf(LAYER).slice("sha256:".length);
    assert.ok(LAYER.equals(await readFile(join(folder, "l", "blobs", "sha256", digest))));
  });

  for (const command of [
    ["pull", "localhost:1/a"],
    ["copy", "oci:none", "oci:other"],
    ["unpack", "oci:none", "to"],
    ["cri"],
    ["up"],
  ]) {
    test(`takes whole numbers alone, as dray ${command[0]} says before it does anything`, LIMIT, async () => {
      for (const [wrong, range] of [
        ["0", "from 1 up"],
        ["few", "from 1 up"],
        ["65", "from 1 to 64"],
      ] as const) {
        const { code, out, err } = await dray(...command, "--data-dir", "never", "--blob-connections", wrong);
        const sentence = `dray: Option --blob-connections does not take "${wrong}": it is a whole number ${range}`;
        assert.deepEqual([code, out], [2, ""], err);
        assert.ok(err.startsWith(sentence), err);
      }
      await assert.rejects(readFile(join(folder, "never")), { code: "ENOENT" });
    });
  }
});
