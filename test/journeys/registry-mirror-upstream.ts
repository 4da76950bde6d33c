/**
 * An upstream for journeys of mirrors: a registry of our own over real HTTP, which fails when a test says so; and a
 * mirror of it, on a disk and a port of its own.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { openConfiguredMirror } from "../../src/cli/mirror/open-mirror.ts";
import { digestOf, MEDIA_TYPES, type Digest } from "../../src/oci/index.ts";
import { openRegistry, openSqliteMetadata, serveRegistry } from "../../src/registry/index.ts";
import type { MirrorConfig, MirrorEvent, Registry, ServedRegistry } from "../../src/registry/index.ts";
import type { RegistryOptions, SqliteMetadata, UpstreamConfig } from "../../src/registry/index.ts";
import { listenWith } from "../../src/registry/node-http.ts";
import { MemoryBlobStore } from "../../src/store/index.ts";

/** What happens to a request instead of an honest answer. */
export type Fault =
  /** No answer: the connection is cut. */
  | { readonly kind: "down" }
  | { readonly kind: "status"; readonly status: number; readonly headers?: Record<string, string> }
  /** So many bytes of the blob, from where the range begins, and then the connection is cut. */
  | { readonly kind: "cut"; readonly after: number }
  /** So many bytes of the blob; the rest when `until` resolves. */
  | {
      readonly kind: "hold";
      readonly after: number;
      readonly until: Promise<void>;
      /** Told when whoever asked is gone. */
      readonly onGone?: () => void;
    }
  /** As many bytes, but others. */
  | { readonly kind: "wrong" }
  | { readonly kind: "body"; readonly type: string; readonly body: string };

export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
}

type Script = (asked: Asked) => Fault | undefined;

export class FaultyUpstream implements AsyncDisposable {
  readonly asked: Asked[] = [];
  readonly blobs: MemoryBlobStore = new MemoryBlobStore();
  readonly metadata: SqliteMetadata = openSqliteMetadata(":memory:");
  readonly registry: Registry;
  readonly #contents = new Map<Digest, Buffer>();
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #script: Script = () => undefined;

  private constructor(options: Partial<RegistryOptions>) {
    this.registry = openRegistry({ blobs: this.blobs, metadata: this.metadata, ...options });
    const honest = listenWith(this.registry);
    // By default it closes idle connections after five seconds, maybe just as a busy machine sends the next request.
    this.#server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
      const asked = describe(request);
      this.asked.push(asked);
      const fault = this.#script(asked);
      if (fault === undefined) honest(request, response);
      else void this.#fail(fault, request, response);
    });
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket)).on("error", () => {});
    });
  }

  static async start(options: Partial<RegistryOptions> = {}): Promise<FaultyUpstream> {
    const upstream = new FaultyUpstream(options);
    await new Promise<void>((resolve) => upstream.#server.listen(0, "127.0.0.1", resolve));
    return upstream;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** From now on; without a script, it is honest again. */
  script(script: Script = () => undefined): void {
    this.#script = script;
  }

  /** What was asked since the last time, as `METHOD path`. */
  takeLog(): string[] {
    return this.asked.splice(0).map(({ method, url }) => `${method} ${url}`);
  }

  async pushBlob(repository: string, bytes: Buffer, headers: Record<string, string> = {}): Promise<Digest> {
    const digest = digestOf(bytes);
    this.#contents.set(digest, bytes);
    await this.#send("POST", `/v2/${repository}/blobs/uploads/?digest=${digest}`, bytes, headers);
    return digest;
  }

  /** An image of one layer; its digest. */
  async pushImage(
    repository: string,
    tag: string,
    layer: Buffer,
    headers: Record<string, string> = {},
  ): Promise<Digest> {
    const config = Buffer.from(JSON.stringify({ architecture: "amd64", os: "linux", rootfs: {}, tag }));
    await this.pushBlob(repository, config, headers);
    await this.pushBlob(repository, layer, headers);
    return await this.pushManifest(
      repository,
      tag,
      {
        schemaVersion: 2,
        mediaType: MEDIA_TYPES.ociManifest,
        config: { mediaType: MEDIA_TYPES.ociConfig, digest: digestOf(config), size: config.length },
        layers: [{ mediaType: MEDIA_TYPES.ociLayer, digest: digestOf(layer), size: layer.length }],
      },
      headers,
    );
  }

  async pushManifest(
    repository: string,
    reference: string,
    document: { readonly mediaType: string; readonly [member: string]: unknown },
    headers: Record<string, string> = {},
  ): Promise<Digest> {
    const bytes = Buffer.from(JSON.stringify(document));
    await this.#send("PUT", `/v2/${repository}/manifests/${reference}`, bytes, {
      "content-type": document.mediaType,
      ...headers,
    });
    return digestOf(bytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    await this.registry.close();
    await this.metadata[Symbol.asyncDispose]();
  }

  async #send(method: string, path: string, body: Buffer, headers: Record<string, string>): Promise<void> {
    const answer = await this.registry.fetch(
      new Request(`http://upstream${path}`, { method, body: new Uint8Array(body), headers }),
    );
    if (answer.status !== 201) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  }

  async #fail(fault: Fault, request: IncomingMessage, response: ServerResponse): Promise<void> {
    switch (fault.kind) {
      case "down":
        request.socket.destroy();
        return;
      case "status":
        response.writeHead(fault.status, { "content-length": "0", ...fault.headers }).end();
        return;
      case "body":
        response.writeHead(200, { "content-type": fault.type }).end(fault.body);
        return;
      case "cut":
      case "hold":
      case "wrong":
        await this.#sendBlob(fault, request, response);
    }
  }

  async #sendBlob(
    fault: Extract<Fault, { readonly kind: "cut" | "hold" | "wrong" }>,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const digest = (request.url ?? "").split("/").at(-1)?.split("?")[0] as Digest;
    const whole = this.#contents.get(digest) as Buffer;
    const first = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const bytes = fault.kind === "wrong" ? Buffer.alloc(whole.length, "x") : whole.subarray(first);
    response.writeHead(first > 0 ? 206 : 200, {
      "content-type": "application/octet-stream",
      "content-length": String(bytes.length),
      ...(first > 0 && { "content-range": `bytes ${first}-${whole.length - 1}/${whole.length}` }),
    });
    if (fault.kind === "wrong") {
      response.end(bytes);
      return;
    }
    await new Promise<void>((resolve) => response.write(bytes.subarray(0, fault.after), () => resolve()));
    if (fault.kind === "cut") {
      setImmediate(() => request.socket.destroy());
      return;
    }
    response.on("close", () => fault.onGone?.());
    await fault.until;
    response.end(bytes.subarray(fault.after));
  }
}

function describe({ method = "", url = "", headers }: IncomingMessage): Asked {
  return { method, url, authorization: headers.authorization, range: headers.range };
}

export interface MirrorSetup extends AsyncDisposable {
  readonly served: ServedRegistry;
  readonly url: string;
  readonly dir: string;
  readonly events: MirrorEvent[];
  readonly failures: unknown[];
  /** Lets time pass. */
  advance(milliseconds: number): void;
  /** Resolves when nothing runs in the background. */
  settled(): Promise<void>;
  /** Ends this process's part and begins again on the same folder. */
  restart(): Promise<MirrorSetup>;
}

export interface SetupOptions extends Partial<Omit<RegistryOptions, "blobs" | "metadata" | "mirror">> {
  /** For the one upstream, besides where it is; or a whole configuration. */
  readonly upstream?: Partial<UpstreamConfig> | undefined;
  readonly config?: MirrorConfig | undefined;
  readonly dir?: string | undefined;
  readonly now?: number | undefined;
}

/** A mirror of `upstream` as `docker.io`, under `hub/`. */
export async function startMirror(
  upstream: FaultyUpstream,
  options: SetupOptions = {},
): Promise<MirrorSetup> {
  const { upstream: more, config, now: start = Date.now(), dir: given, ...registry } = options;
  const dir = given ?? mkdtempSync(join(tmpdir(), "dray-mirror-"));
  let now = start;
  const clock = (): number => now;
  const events: MirrorEvent[] = [];
  const failures: unknown[] = [];
  const onFailure = (error: unknown): void => void failures.push(error);
  const mirror = await openConfiguredMirror(
    config ?? { upstreams: [{ registry: "docker.io", prefix: "hub", url: upstream.url, ...more }] },
    { dir, folder: dir, clock, onEvent: (event) => void events.push(event), onFailure },
  );
  const served = await serveRegistry({
    dir,
    port: 0,
    mirror,
    clock,
    onFailure,
    drainTimeout: 100,
    ...registry,
  });
  const close = (): Promise<void> => served.close();
  return {
    served,
    url: `http://${served.address}:${served.port}`,
    dir,
    events,
    failures,
    advance: (milliseconds) => {
      now += milliseconds;
    },
    settled: () => mirror.settled(),
    restart: async () => {
      await close();
      return await startMirror(upstream, { ...options, dir, now });
    },
    async [Symbol.asyncDispose]() {
      await close();
      if (given === undefined) rmSync(dir, { recursive: true, force: true });
    },
  };
}

export const MINUTE = 60_000;
