/** A containerd of the test's own, images made by code, and a registry that remembers what was asked for. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";

import { pack, type Header } from "tar-stream";

import { openContainerd } from "../../src/cri/containerd/connection.ts";
import { type CriClient, openCriClient } from "../../src/cri/index.ts";
import { ROOT, start, type Started } from "../processes.ts";
import { StubRegistry, type StubReply, type StubRequest } from "../stub-registry.ts";
import { findPeer } from "./peers.ts";

export interface LabContainerd extends AsyncDisposable {
  readonly pid: number;
  readonly socket: string;
  /** Its own CRI. */
  readonly cri: CriClient;
  /** Ends it and starts it again; its containers live on. */
  restart(): Promise<void>;
  /** What it has, for comparing: names, content and snapshots, with their labels. */
  dump(): Promise<ContainerdState>;
  /** Leases, writes under way, and snapshots that aren't finished. */
  leftovers(): Promise<readonly string[]>;
}

export interface ContainerdState {
  readonly images: readonly string[];
  readonly content: readonly string[];
  readonly snapshots: readonly string[];
}

export interface LabContainerdOptions {
  /** The name of the sandbox image, which its CRI pins. */
  readonly sandbox: string;
}

/** `folder` is its own, and short: a socket's path has to fit. */
export async function startContainerd(folder: string, options: LabContainerdOptions): Promise<LabContainerd> {
  const program = findPeer("containerd") ?? "containerd";
  const socket = join(folder, "c.sock");
  mkdirSync(join(folder, "certs.d"), { recursive: true });
  const quote = (name: string): string => JSON.stringify(join(folder, name));
  const images = 'plugins."io.containerd.cri.v1.images"';
  const runtime = 'plugins."io.containerd.cri.v1.runtime"';
  writeFileSync(
    join(folder, "config.toml"),
    `version = 3
root = ${quote("root")}
state = ${quote("state")}
[grpc]
address = ${quote("c.sock")}
[ttrpc]
address = ${quote("t.sock")}
[${images}]
snapshotter = "overlayfs"
[${images}.registry]
config_path = ${quote("certs.d")}
[${images}.pinned_images]
sandbox = ${JSON.stringify(options.sandbox)}
[${runtime}]
restrict_oom_score_adj = true
[${runtime}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[${runtime}.containerd.runtimes.runc.options]
SystemdCgroup = false
[plugins."io.containerd.gc.v1.scheduler"]
startup_delay = "10ms"
[plugins."io.containerd.nri.v1.nri"]
disable = true
`,
  );
  const env = { ...process.env, PATH: `${dirname(program)}:${process.env["PATH"] ?? ""}` };
  const launch = async (): Promise<Started> => {
    const started = start(program, ["--config", join(folder, "config.toml")], { env });
    await started.waitFor(/containerd successfully booted/);
    return started;
  };
  let daemon = await launch();
  let cri = openCriClient(socket);
  return {
    socket,
    get pid() {
      return daemon.pid;
    },
    get cri() {
      return cri;
    },
    restart: async () => {
      await daemon.stop();
      cri[Symbol.dispose]();
      daemon = await launch();
      cri = openCriClient(socket);
    },
    dump: () => dumpState(socket),
    leftovers: () => listLeftovers(socket),
    [Symbol.asyncDispose]: async () => {
      cri[Symbol.dispose]();
      await daemon.stop();
      unmountBelow(folder);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function dumpState(socket: string): Promise<ContainerdState> {
  using connection = openContainerd(socket, "k8s.io");
  const { content, images, snapshots } = connection;
  const listed = await images.list({}, connection.call());
  const blobs: string[] = [];
  for await (const { info } of content.list({}, connection.call())) {
    for (const { digest, size, labels } of info) blobs.push(line([digest, size], labels));
  }
  const layers: string[] = [];
  for await (const { info } of snapshots.list({ snapshotter: "overlayfs" }, connection.call())) {
    for (const { name, parent, kind, labels } of info) layers.push(line([name, parent, kind], labels));
  }
  return {
    images: listed.images
      .map(({ name, target, labels }) =>
        line([name, target?.mediaType, target?.digest, target?.size], labels),
      )
      .toSorted(),
    content: blobs.toSorted(),
    snapshots: layers.toSorted(),
  };
}

function line(parts: readonly unknown[], labels: Readonly<Record<string, string>>): string {
  const sorted = Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return [...parts, ...sorted.map(([key, value]) => `${key}=${value}`)].join(" ");
}

async function listLeftovers(socket: string): Promise<readonly string[]> {
  using connection = openContainerd(socket, "k8s.io");
  const { leases } = await connection.leases.list({}, connection.call());
  const { statuses } = await connection.content.listStatuses({}, connection.call());
  const active: string[] = [];
  for await (const { info } of connection.snapshots.list({ snapshotter: "overlayfs" }, connection.call())) {
    for (const { name, kind } of info) if (kind !== 3) active.push(`snapshot ${name}`);
  }
  return [...leases.map(({ id }) => `lease ${id}`), ...statuses.map(({ ref }) => `ingest ${ref}`), ...active];
}

/** What containers leave mounted, the innermost first. */
function unmountBelow(folder: string): void {
  const mounts = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((entry) => entry.split(" ")[1] ?? "")
    .filter((path) => path.startsWith(`${folder}/`));
  for (const path of mounts.toReversed()) execFileSync("umount", ["--lazy", path]);
}

const DRAY = join(ROOT, "bin", "dray.js");

export interface Dray extends AsyncDisposable {
  readonly cri: CriClient;
  readonly process: Started;
}

/** `dray cri` on `d.sock` in a folder, with its data there, too. */
export async function startDray(
  folder: string,
  containerd: string,
  ...more: readonly string[]
): Promise<Dray> {
  const socket = join(folder, "d.sock");
  const args = ["cri", "--containerd", containerd, "--socket", socket, "--data-dir", join(folder, "data")];
  const env = {
    NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"],
    PATH: process.env["PATH"],
    HOME: folder,
  };
  const started = start(process.execPath, [DRAY, ...args, ...more], { env });
  await started.waitFor(/Serving the CRI/);
  const cri = openCriClient(socket);
  return {
    cri,
    process: started,
    [Symbol.asyncDispose]: async () => {
      cri[Symbol.dispose]();
      await started.stop();
    },
  };
}

export type LabFile = Partial<Header> & { readonly name: string; readonly data?: string | Buffer };

export interface LabImage {
  readonly layers: readonly (readonly LabFile[])[];
  readonly config?: Readonly<Record<string, unknown>>;
  /** Instead of what the layers hash to. */
  readonly diffIds?: readonly string[];
}

interface Blob {
  readonly mediaType: string;
  readonly bytes: Buffer;
}

const TYPES = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar+gzip",
};

/** Serves what it was given; tells of every request. */
export class LabImages implements AsyncDisposable {
  readonly #blobs = new Map<string, Blob>();
  readonly #tags = new Map<string, string>();
  /** May answer instead. */
  intercept: (request: StubRequest) => StubReply | undefined | Promise<StubReply | undefined> = () =>
    undefined;
  #registry!: StubRegistry;

  static async start(): Promise<LabImages> {
    const lab = new LabImages();
    lab.#registry = await StubRegistry.start(
      async (request) => (await lab.intercept(request)) ?? lab.#answer(request),
    );
    return lab;
  }

  /** `127.0.0.1:PORT`. */
  get host(): string {
    return this.#registry.domain;
  }

  /** Digests of blobs and manifests whose bytes were asked for, each time. */
  get fetched(): readonly string[] {
    return this.#registry.requests
      .filter(({ method }) => method === "GET")
      .flatMap(({ url }) => /sha256:[0-9a-f]{64}/.exec(url) ?? []);
  }

  /** The `Range` of each request for this digest. */
  ranges(digest: string): readonly (string | undefined)[] {
    return this.#registry.requests
      .filter(({ method, url }) => method === "GET" && url.endsWith(digest))
      .map(({ headers }) => headers["range"]);
  }

  /** The answer to a request for the whole of this digest. */
  serve(digest: string): StubReply {
    return this.#reply(digest, 0);
  }

  forget(): void {
    this.#registry.requests.length = 0;
  }

  /** Makes an image; the same parts make the same layers. */
  async add(
    name: string,
    image: LabImage,
  ): Promise<{ readonly digest: string; readonly layers: readonly string[] }> {
    const tars = await Promise.all(image.layers.map(makeTar));
    const layers = tars.map((tar) => this.#put(TYPES.layer, gzipSync(tar)));
    const config = this.#put(TYPES.config, {
      created: "2026-01-01T00:00:00Z",
      architecture: process.arch === "x64" ? "amd64" : process.arch,
      os: "linux",
      config: { Cmd: ["/bin/sh"], ...image.config },
      rootfs: { type: "layers", diff_ids: image.diffIds ?? tars.map(digestOf) },
    });
    const manifest = { schemaVersion: 2, mediaType: TYPES.manifest, config, layers };
    const { digest } = this.#put(TYPES.manifest, manifest);
    this.#tags.set(name, digest);
    return { digest, layers: layers.map((layer) => layer.digest) };
  }

  /** Something that isn't run: files of its own kinds below a manifest. */
  addArtifact(name: string, files: readonly string[]): string {
    const config = this.#put("application/vnd.example.config+json", { anything: [1] });
    const layers = files.map((text) => this.#put("application/vnd.example.file", Buffer.from(text)));
    const manifest = { schemaVersion: 2, mediaType: TYPES.manifest, config, layers };
    const { digest } = this.#put(TYPES.manifest, manifest);
    this.#tags.set(name, digest);
    return config.digest;
  }

  /** An index with one image for this machine and another for one that nobody has. */
  addIndex(name: string, manifest: string): string {
    const { bytes } = this.#blobs.get(manifest) ?? { bytes: Buffer.alloc(0) };
    const here = { mediaType: TYPES.manifest, digest: manifest, size: bytes.length };
    const architecture = process.arch === "x64" ? "amd64" : process.arch;
    const elsewhere = { mediaType: TYPES.manifest, digest: digestOf(Buffer.from("other")), size: 5 };
    const { digest } = this.#put(TYPES.index, {
      schemaVersion: 2,
      mediaType: TYPES.index,
      manifests: [
        { ...elsewhere, platform: { os: "plan9", architecture: "mips" } },
        { ...here, platform: { os: "linux", architecture } },
      ],
    });
    this.#tags.set(name, digest);
    return digest;
  }

  /** Lets a name point at what another points at. */
  tag(name: string, other: string): void {
    this.#tags.set(name, this.#tags.get(other) ?? other);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#registry[Symbol.asyncDispose]();
  }

  #put(mediaType: string, content: unknown): { mediaType: string; digest: string; size: number } {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
    const digest = digestOf(bytes);
    this.#blobs.set(digest, { mediaType, bytes });
    return { mediaType, digest, size: bytes.length };
  }

  #answer({ url, headers }: StubRequest): StubReply {
    if (url === "/v2/") return { status: 200, body: "{}" };
    const [, repository = "", , object = ""] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/?]+)/.exec(url) ?? [];
    const digest = object.startsWith("sha256:") ? object : this.#tags.get(`${repository}:${object}`);
    return this.#reply(digest ?? "", Number(/^bytes=([0-9]+)-/.exec(headers["range"] ?? "")?.[1] ?? 0));
  }

  #reply(digest: string, from: number): StubReply {
    const blob = this.#blobs.get(digest);
    if (blob === undefined) return { status: 404, body: "{}" };
    return {
      status: from > 0 ? 206 : 200,
      headers: {
        "content-type": blob.mediaType,
        "docker-content-digest": digest,
        "content-length": String(blob.bytes.length - from),
        ...(from > 0 && { "content-range": `bytes ${from}-${blob.bytes.length - 1}/${blob.bytes.length}` }),
      },
      body: blob.bytes.subarray(from),
    };
  }
}

/** Bytes that don't compress, and are the same every time. */
export function noise(seed: string, length: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(length / 64) }, (_, index) =>
    createHash("sha512").update(`${seed} ${index}`).digest(),
  );
  return Buffer.concat(blocks).subarray(0, length);
}

/** An archive, always the same for the same files. */
export async function makeTar(files: readonly LabFile[]): Promise<Buffer> {
  const tar = pack();
  for (const { data = "", ...header } of files) {
    tar.entry({ mtime: new Date(1_700_000_000_000), mode: 0o644, uid: 0, gid: 0, ...header }, data);
  }
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks);
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** containerd tidies up a moment later. */
export async function eventually(check: () => Promise<void>): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
