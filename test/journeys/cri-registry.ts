/** A registry for image services: it keeps what it was asked, and stalls, cuts and refuses as a test says. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { createHash } from "node:crypto";

import { type Descriptor, digestOf, MEDIA_TYPES } from "../../src/oci/index.ts";

export interface Asked {
  readonly method: string;
  readonly path: string;
  /** The first byte asked for. */
  readonly from: number;
  /** Decoded, where it is basic. */
  readonly authorization: string | undefined;
  readonly status: number;
}

/** What becomes of a request, unless it is answered as a registry would. */
export interface Behaviour {
  /** Bytes of the body after which nothing more comes, and the connection stays open. */
  readonly stallAfter?: number;
  /** Bytes after which the connection is cut. */
  readonly cutAfter?: number;
  readonly status?: number;
  /** Waits with the answer. */
  readonly until?: Promise<unknown>;
}

export interface PutOptions {
  readonly layers?: readonly Buffer[];
  /** The media type of all of them; OCI's plain tar by default. */
  readonly layerType?: string;
  readonly user?: string;
  readonly platform?: { readonly os: string; readonly architecture: string };
}

export interface PutImage {
  readonly id: string;
  readonly digest: string;
  readonly descriptor: Descriptor;
  /** Bytes of manifest, config and layers. */
  readonly size: number;
  readonly layers: readonly Descriptor[];
}

export class CriRegistry implements AsyncDisposable {
  readonly asked: Asked[] = [];
  /** Asked for each request before it is answered. */
  behave: (request: { readonly method: string; readonly path: string }) => Behaviour = () => ({});
  /** `name:password`, or `Bearer token`; everybody without any. */
  allowed: readonly string[] = [];
  /** What the others are told to do. */
  challenge = 'Basic realm="here"';
  readonly #contents = new Map<string, { readonly bytes: Buffer; readonly mediaType: string }>();
  readonly #tags = new Map<string, string>();
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  static async start(): Promise<CriRegistry> {
    const registry = new CriRegistry();
    await new Promise<void>((resolve) => registry.#server.listen(0, "127.0.0.1", resolve));
    return registry;
  }

  /** `localhost:port` */
  get host(): string {
    return `localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  /** GETs that were answered with content, of blobs alone where that is asked. */
  fetched(kind: "blobs" | "manifests" = "blobs"): readonly string[] {
    return this.asked
      .filter(({ method, path, status }) => method === "GET" && status < 300 && path.includes(`/${kind}/`))
      .map(({ path }) => path.slice(path.lastIndexOf("/") + 1));
  }

  /** Connections on which somebody waits. */
  get open(): number {
    return this.#sockets.size;
  }

  put(name: string, { layers = [], layerType, user, platform }: PutOptions = {}): PutImage {
    const layerDescriptors = layers.map((bytes) => this.#keep(bytes, layerType ?? MEDIA_TYPES.ociLayer));
    const config = this.#keepJson(
      {
        ...(platform ?? { os: "linux", architecture: process.arch === "arm64" ? "arm64" : "amd64" }),
        config: { ...(user !== undefined && { User: user }), Labels: { name } },
        rootfs: { type: "layers", diff_ids: layerDescriptors.map(({ digest }) => digest) },
      },
      MEDIA_TYPES.ociConfig,
    );
    const descriptor = this.#keepJson(
      { schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config, layers: layerDescriptors },
      MEDIA_TYPES.ociManifest,
    );
    this.tag(name, descriptor);
    const size = [descriptor, config, ...layerDescriptors].reduce((sum, one) => sum + one.size, 0);
    return { id: config.digest, digest: descriptor.digest, descriptor, size, layers: layerDescriptors };
  }

  putIndex(
    name: string,
    images: readonly { readonly descriptor: Descriptor; readonly platform: object }[],
  ): Descriptor {
    const manifests = images.map(({ descriptor, platform }) => ({ ...descriptor, platform }));
    const index = this.#keepJson(
      { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests },
      MEDIA_TYPES.ociIndex,
    );
    this.tag(name, index);
    return index;
  }

  tag(name: string, { digest }: Descriptor): void {
    this.#tags.set(name, digest);
  }

  /** Other bytes under the same digest, from now on. */
  corrupt(digest: string): void {
    const content = this.#contents.get(digest);
    if (content === undefined) throw new Error(`there is no ${digest}`);
    const bytes = Buffer.from(content.bytes);
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    this.#contents.set(digest, { ...content, bytes });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #keepJson(document: unknown, mediaType: string): Descriptor {
    return this.#keep(Buffer.from(JSON.stringify(document)), mediaType);
  }

  #keep(bytes: Buffer, mediaType: string): Descriptor {
    const digest = digestOf(bytes);
    this.#contents.set(digest, { bytes, mediaType });
    return { mediaType, digest, size: bytes.length };
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url: path = "" } = request;
    const authorization = readable(request.headers.authorization);
    const from = Number(/^bytes=([0-9]+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const behaviour = this.behave({ method, path });
    const [, name = "", kind = "", object = ""] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(path) ?? [];
    const digest = object.includes(":") ? object : this.#tags.get(`${name}:${object}`);
    const content = this.#contents.get(digest ?? "");
    const known = this.allowed.length === 0 || this.allowed.includes(authorization ?? "");
    const status = !known ? 401 : (behaviour.status ?? (content === undefined ? 404 : from > 0 ? 206 : 200));
    this.asked.push({ method, path, from, authorization, status });
    await behaviour.until;
    if (content === undefined || status >= 300) {
      const challenge = status === 401 ? { "www-authenticate": this.challenge } : {};
      const code = status === 401 ? "UNAUTHORIZED" : kind === "blobs" ? "BLOB_UNKNOWN" : "MANIFEST_UNKNOWN";
      response.writeHead(status, { "content-type": "application/json", ...challenge });
      response.end(method === "HEAD" ? "" : JSON.stringify({ errors: [{ code, message: code }] }));
      return;
    }
    const { bytes, mediaType } = content;
    const body = bytes.subarray(from);
    response.writeHead(status, {
      "content-type": kind === "blobs" ? "application/octet-stream" : mediaType,
      "content-length": String(body.length),
      "docker-content-digest": digest,
      "accept-ranges": "bytes",
      ...(from > 0 && { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` }),
    });
    const { stallAfter, cutAfter } = behaviour;
    if (method === "HEAD") response.end();
    else if (cutAfter !== undefined)
      response.write(body.subarray(0, cutAfter), () => request.socket.destroy());
    else if (stallAfter !== undefined) response.write(body.subarray(0, stallAfter));
    else response.end(body);
  }
}

/** Bytes nobody can compress, the same for the same seed. */
export function bytesOf(size: number, seed: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < size; at += 64) {
    parts.push(createHash("sha512").update(`${seed} ${at}`).digest());
  }
  return Buffer.concat(parts).subarray(0, size);
}

function readable(authorization: string | undefined): string | undefined {
  const encoded = /^Basic (.*)$/.exec(authorization ?? "")?.[1];
  return encoded === undefined ? authorization : Buffer.from(encoded, "base64").toString();
}
