/**
 * Images for measuring, made from files every Debian machine has: layers of what is below `/usr`, in order of their
 * names, so that one machine always makes the same. They are OCI layouts, kept in a cache folder between runs.
 */
import { createHash } from "node:crypto";
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
} from "node:fs";
import { lstatSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, createGzip } from "node:zlib";

import { pack } from "tar-stream";

export interface BenchImage {
  /** An OCI layout with one image, tagged `bench`. */
  readonly folder: string;
  readonly layers: readonly { readonly digest: string; readonly size: number }[];
  /** Compressed bytes of all layers. */
  readonly size: number;
}

export interface ImageSize {
  readonly layers: number;
  /** Uncompressed bytes of files in each layer, about. */
  readonly layerBytes: number;
}

/** About 170 MB compressed. */
export const MEDIUM: ImageSize = { layers: 10, layerBytes: 46_000_000 };
/** Over 1 GB compressed. */
export const LARGE: ImageSize = { layers: 10, layerBytes: 300_000_000 };

const ROOTS = ["/usr/lib", "/usr/bin", "/usr/sbin", "/usr/share", "/usr/libexec"];

/** The image in `cache`, made when it isn't there yet. */
export async function prepareImage(cache: string, name: string, size: ImageSize): Promise<BenchImage> {
  const folder = join(cache, `${name}-${size.layers}x${size.layerBytes}`);
  if (!existsSync(folder)) {
    const fresh = `${folder}.${process.pid}`;
    rmSync(fresh, { recursive: true, force: true });
    try {
      await makeImage(fresh, size);
      renameSync(fresh, folder);
    } finally {
      rmSync(fresh, { recursive: true, force: true });
    }
  }
  const read = (path: string): unknown => JSON.parse(readFileSync(join(folder, path), "utf8"));
  const index = read("index.json") as { readonly manifests: readonly { readonly digest: string }[] };
  const digest = index.manifests[0]?.digest ?? "";
  const { layers } = read(join("blobs", ...digest.split(":"))) as Pick<BenchImage, "layers">;
  return { folder, layers, size: layers.reduce((sum, layer) => sum + layer.size, 0) };
}

async function makeImage(folder: string, size: ImageSize): Promise<void> {
  mkdirSync(join(folder, "blobs", "sha256"), { recursive: true });
  const files = listFiles(size.layers * size.layerBytes);
  const shares = split(files, size);
  const layers: { digest: string; diffId: string; size: number }[] = [];
  // Two at a time: compression runs on threads of its own.
  for (let at = 0; at < shares.length; at += 2) {
    const made = await Promise.all(
      shares.slice(at, at + 2).map((share, i) => makeLayer(folder, `layer${at + i}`, share)),
    );
    layers.push(...made);
  }
  const config = writeDocument(folder, {
    created: "2024-01-01T00:00:00Z",
    architecture: process.arch === "x64" ? "amd64" : process.arch,
    os: "linux",
    config: { Cmd: ["/bin/true"] },
    rootfs: { type: "layers", diff_ids: layers.map((layer) => layer.diffId) },
    history: layers.map((_, index) => ({ created_by: `layer ${index}` })),
  });
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = writeDocument(folder, {
    schemaVersion: 2,
    mediaType,
    config: { mediaType: "application/vnd.oci.image.config.v1+json", ...config },
    layers: layers.map(({ digest, size: bytes }) => ({
      mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
      digest,
      size: bytes,
    })),
  });
  writeFileSync(join(folder, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  const annotations = { "org.opencontainers.image.ref.name": "bench" };
  writeFileSync(
    join(folder, "index.json"),
    JSON.stringify({ schemaVersion: 2, manifests: [{ mediaType, ...manifest, annotations }] }),
  );
}

interface File {
  readonly path: string;
  readonly size: number;
}

/** Readable regular files, sorted by path; again from the start, when the machine hasn't got enough of them. */
function listFiles(bytes: number): File[] {
  const once: File[] = [];
  let total = 0;
  for (const path of ROOTS.flatMap((root) => [...walk(root)])) {
    const { size } = lstatSync(path);
    if (size > 80_000_000) continue;
    once.push({ path, size });
    total += size;
    if (total >= bytes) return once;
  }
  const files = [...once];
  while (total < bytes) {
    files.push(...once);
    total += once.reduce((sum, file) => sum + file.size, 0);
  }
  return files;
}

/** Regular files below a folder in the order of their names; links are not followed. */
function* walk(folder: string): Generator<string> {
  if (!existsSync(folder)) return;
  const entries = readdirSync(folder, { withFileTypes: true });
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    else if (entry.isFile()) yield path;
  }
}

function split(files: readonly File[], size: ImageSize): File[][] {
  const shares: File[][] = [];
  let share: File[] = [];
  let bytes = 0;
  for (const file of files) {
    share.push(file);
    bytes += file.size;
    if (bytes < size.layerBytes) continue;
    shares.push(share);
    if (shares.length === size.layers) return shares;
    share = [];
    bytes = 0;
  }
  return share.length === 0 ? shares : [...shares, share];
}

async function makeLayer(
  folder: string,
  name: string,
  files: readonly File[],
): Promise<{ digest: string; diffId: string; size: number }> {
  const tar = pack();
  const open = createHash("sha256");
  const closed = createHash("sha256");
  const blob = join(folder, "blobs", "sha256", name);
  const written = pipeline(
    tar,
    tee((chunk) => open.update(chunk)),
    createGzip({ level: constants.Z_BEST_SPEED, chunkSize: 256 * 1024 }),
    tee((chunk) => closed.update(chunk)),
    createWriteStream(blob),
  );
  for (const { path, size } of files) {
    // The layer's own name in front keeps a second helping of the same files from being the same layer.
    const header = { name: `${name}${path}`, size, mtime: new Date(0), mode: 0o644 };
    const entry = tar.entry(header);
    if (size === 0) entry.end(undefined);
    else await pipeline(createReadStream(path, { end: size - 1, highWaterMark: 256 * 1024 }), entry);
  }
  tar.finalize();
  await written;
  const digest = closed.digest("hex");
  renameSync(blob, join(folder, "blobs", "sha256", digest));
  const { size } = lstatSync(join(folder, "blobs", "sha256", digest));
  return { digest: `sha256:${digest}`, diffId: `sha256:${open.digest("hex")}`, size };
}

function tee(see: (chunk: Buffer) => unknown): Transform {
  return new Transform({
    transform(chunk: Buffer, _, done) {
      see(chunk);
      done(null, chunk);
    },
  });
}

function writeDocument(folder: string, document: unknown): { digest: string; size: number } {
  const text = JSON.stringify(document);
  const digest = createHash("sha256").update(text).digest("hex");
  writeFileSync(join(folder, "blobs", "sha256", digest), text);
  return { digest: `sha256:${digest}`, size: Buffer.byteLength(text) };
}
