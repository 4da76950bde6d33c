/** Images made by code for the journeys with real clients: small, always the same, and of every shape that matters. */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";

import { pack } from "tar-stream";

interface Pointer {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly os: string; readonly architecture: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface SampleLayout {
  /** An OCI image layout with the tags `multi` (an index), `gzip` and `zstd` (manifests for linux/amd64). */
  readonly folder: string;
  readonly digests: Readonly<Record<"multi" | "gzip" | "zstd", string>>;
}

type Compression = "gzip" | "zstd";

/** Writes the layout into a new folder. */
export async function writeSampleLayout(folder: string): Promise<SampleLayout> {
  mkdirSync(join(folder, "blobs", "sha256"), { recursive: true });
  writeFileSync(join(folder, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  const gzip = await writeImage(folder, "amd64", "gzip");
  const zstd = await writeImage(folder, "amd64", "zstd");
  const arm = await writeImage(folder, "arm64", "zstd");
  const multi = writeBlob(
    folder,
    "application/vnd.oci.image.index.v1+json",
    JSON.stringify({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: [
        { ...gzip, platform: { os: "linux", architecture: "amd64" } },
        // skopeo marks images with zstd layers like this, and refuses to keep digests where it would have to.
        {
          ...arm,
          platform: { os: "linux", architecture: "arm64" },
          annotations: { "io.github.containers.compression.zstd": "true" },
        },
      ],
      annotations: { "org.example.sample": "two platforms, gzip and zstd" },
    }),
  );
  const tagged = Object.entries({ multi, gzip, zstd }).map(([name, pointer]) => ({
    ...pointer,
    annotations: { "org.opencontainers.image.ref.name": name },
  }));
  writeFileSync(join(folder, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: tagged }));
  return { folder, digests: { multi: multi.digest, gzip: gzip.digest, zstd: zstd.digest } };
}

/** Every blob of a layout, by digest, after hashing it again: two equal maps are byte-identical content. */
export function readBlobs(folder: string): ReadonlyMap<string, number> {
  const blobs = join(folder, "blobs", "sha256");
  return new Map(
    readdirSync(blobs)
      .toSorted()
      .map((name) => {
        const bytes = readFileSync(join(blobs, name));
        const digest = createHash("sha256").update(bytes).digest("hex");
        if (digest !== name) throw new Error(`${join(blobs, name)} holds other bytes: ${digest}`);
        return [digest, bytes.length];
      }),
  );
}

async function writeImage(folder: string, architecture: string, compression: Compression): Promise<Pointer> {
  const files = [
    { [`etc/${architecture}`]: `made for ${architecture}\n`, "etc/empty": "" },
    // Big enough for several reads and chunks, and not compressible to nothing.
    {
      "usr/share/noise": noise(`${architecture} ${compression}`, 3_000_000),
      "usr/share/text": "dray ".repeat(200_000),
    },
  ];
  const tars = await Promise.all(files.map(makeTar));
  const layers = tars.map((tar) =>
    writeBlob(
      folder,
      `application/vnd.oci.image.layer.v1.tar+${compression}`,
      compression === "gzip" ? gzipSync(tar) : zstdCompressSync(tar),
    ),
  );
  const config = writeBlob(
    folder,
    "application/vnd.oci.image.config.v1+json",
    JSON.stringify({
      created: "2024-01-01T00:00:00Z",
      architecture,
      os: "linux",
      config: { Cmd: ["/bin/true"], Env: ["PATH=/bin"], Labels: { compression } },
      rootfs: { type: "layers", diff_ids: tars.map((tar) => digestOf(tar)) },
      history: tars.map(() => ({ created: "2024-01-01T00:00:00Z", created_by: "sample" })),
    }),
  );
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  return writeBlob(folder, mediaType, JSON.stringify({ schemaVersion: 2, mediaType, config, layers }));
}

function writeBlob(folder: string, mediaType: string, content: string | Uint8Array): Pointer {
  const bytes = Buffer.from(content);
  const digest = digestOf(bytes);
  writeFileSync(join(folder, "blobs", ...digest.split(":")), bytes);
  return { mediaType, digest, size: bytes.length };
}

async function makeTar(files: Readonly<Record<string, string | Buffer>>): Promise<Buffer> {
  const tar = pack();
  for (const [name, content] of Object.entries(files)) {
    tar.entry({ name, mtime: new Date(0), mode: 0o644, uid: 0, gid: 0 }, content);
  }
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks);
}

/** Bytes that look random and are the same every time. */
function noise(seed: string, length: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(length / 64) }, (_, index) =>
    createHash("sha512").update(`${seed} ${index}`).digest(),
  );
  return Buffer.concat(blocks).subarray(0, length);
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
