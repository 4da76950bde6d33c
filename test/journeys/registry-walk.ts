/** A registry on a port and a client that says what it is told to: the ground under the conformance walk. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";

import { digestOf, MEDIA_TYPES, type Descriptor, type Digest } from "../../src/oci/index.ts";
import type { DigestAlgorithm } from "../../src/oci/index.ts";
import { serveRegistry } from "../../src/registry/index.ts";

const dir = await mkdtemp(join(tmpdir(), "dray-conformance-"));
const served = await serveRegistry({ dir, port: 0 });
export const base: string = `http://${served.address}:${served.port}`;
after(async () => {
  await served.close();
  await rm(dir, { recursive: true });
});

export interface Blob {
  readonly bytes: Buffer;
  readonly digest: Digest;
}

export type Headers = Readonly<Record<string, string>>;

export interface Answer {
  readonly status: number;
  readonly headers: globalThis.Headers;
  readonly bytes: Buffer;
}

export async function send(
  method: string,
  path: string,
  body?: Buffer,
  headers: Headers = {},
): Promise<Answer> {
  const response = await fetch(new URL(path, base), {
    method,
    headers,
    ...(body !== undefined && { body: new Uint8Array(body) }),
  });
  return {
    status: response.status,
    headers: response.headers,
    bytes: Buffer.from(await response.arrayBuffer()),
  };
}

/** Sends a body without a length, as clients do that compress on the way. */
export async function stream(method: string, path: string, body: Buffer): Promise<Answer> {
  const parts = new ReadableStream<Uint8Array>({
    start(controller): void {
      for (let at = 0; at < body.length; at += 100)
        controller.enqueue(new Uint8Array(body.subarray(at, at + 100)));
      controller.close();
    },
  });
  const init: RequestInit & { readonly duplex: "half" } = { method, body: parts, duplex: "half" };
  const response = await fetch(new URL(path, base), init);
  const bytes = Buffer.from(await response.arrayBuffer());
  return { status: response.status, headers: response.headers, bytes };
}

export function blobOf(size: number, algorithm: DigestAlgorithm): Blob {
  const bytes = randomBytes(size);
  return { bytes, digest: digestOf(bytes, algorithm) };
}

export function locationOf(answer: Answer): string {
  const location = answer.headers.get("location");
  assert.ok(location, "an answer with a Location");
  return location;
}

export function withDigest(location: string, digest: string): string {
  return `${location}${location.includes("?") ? "&" : "?"}digest=${digest}`;
}

export async function begin(repository: string): Promise<string> {
  const answer = await send("POST", `/v2/${repository}/blobs/uploads/`, undefined, { "content-length": "0" });
  assert.equal(answer.status, 202);
  assert.equal(answer.headers.get("range"), "0-0");
  assert.equal(answer.headers.get("content-length"), "0");
  assert.ok(answer.headers.get("docker-upload-uuid"));
  return locationOf(answer);
}

export async function sendChunk(location: string, blob: Blob, first: number, end: number): Promise<string> {
  const answer = await send("PATCH", location, blob.bytes.subarray(first, end), {
    "content-range": `${first}-${end - 1}`,
    "content-type": "application/octet-stream",
  });
  assert.equal(answer.status, 202);
  assert.equal(answer.headers.get("range"), `0-${end - 1}`);
  return locationOf(answer);
}

/** The walk after every successful push: seen, read back, deleted, gone. */
export async function checkPushed(repository: string, answer: Answer, blob: Blob): Promise<void> {
  assert.equal(answer.status, 201, answer.bytes.toString());
  assert.equal(answer.headers.get("docker-content-digest"), blob.digest);
  const atLocation = await send("GET", locationOf(answer));
  assert.deepEqual(atLocation.bytes, blob.bytes);
  const path = `/v2/${repository}/blobs/${blob.digest}`;
  const head = await send("HEAD", path);
  assert.equal(head.status, 200);
  assert.equal(head.headers.get("content-length"), String(blob.bytes.length));
  assert.equal(head.headers.get("docker-content-digest"), blob.digest);
  const got = await send("GET", path);
  assert.equal(got.status, 200);
  assert.equal(got.headers.get("content-type"), "application/octet-stream");
  assert.equal(got.headers.get("content-length"), String(blob.bytes.length));
  assert.equal(got.headers.get("docker-content-digest"), blob.digest);
  assert.deepEqual(got.bytes, blob.bytes);
  assert.equal((await send("DELETE", path)).status, 202);
  assert.equal((await send("HEAD", path)).status, 404);
}

export const putBlob = (location: string, blob: Blob, body: Buffer = blob.bytes): Promise<Answer> =>
  send("PUT", withDigest(location, blob.digest), body, { "content-type": "application/octet-stream" });

export const finish = (location: string, blob: Blob): Promise<Answer> =>
  send("PUT", withDigest(location, blob.digest));

export interface Pushed {
  readonly bytes: Buffer;
  readonly digest: Digest;
  readonly mediaType: string;
}

export async function pushContent(
  repository: string,
  bytes: Buffer,
  mediaType: string,
  algorithm: DigestAlgorithm = "sha256",
): Promise<Descriptor> {
  const blob = { bytes, digest: digestOf(bytes, algorithm) };
  assert.equal((await putBlob(await begin(repository), blob)).status, 201);
  return { mediaType, digest: blob.digest, size: bytes.length };
}

export function documentOf(fields: object, algorithm: DigestAlgorithm = "sha256"): Pushed {
  const mediaType = "manifests" in fields ? MEDIA_TYPES.ociIndex : MEDIA_TYPES.ociManifest;
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...fields }));
  return { bytes, digest: digestOf(bytes, algorithm), mediaType };
}

export function descriptorOf(document: Pushed): Descriptor {
  return { mediaType: document.mediaType, digest: document.digest, size: document.bytes.length };
}

export function put(repository: string, reference: string, document: Pushed): Promise<Answer> {
  const headers = { "content-type": document.mediaType };
  return send("PUT", `/v2/${repository}/manifests/${reference}`, document.bytes, headers);
}

/** Pushed by digest, fetched at its Location and under `reference`, with every header a client reads. */
export async function checkManifest(
  repository: string,
  document: Pushed,
  reference?: string,
): Promise<Answer> {
  const answer = await put(repository, reference ?? document.digest, document);
  assert.equal(answer.status, 201, answer.bytes.toString());
  assert.equal(answer.headers.get("docker-content-digest"), document.digest);
  for (const path of [locationOf(answer), `/v2/${repository}/manifests/${reference ?? document.digest}`]) {
    await checkRead(path, document);
  }
  return answer;
}

export async function checkRead(path: string, document: Pushed): Promise<void> {
  for (const method of ["GET", "HEAD"]) {
    const accept = `${MEDIA_TYPES.ociIndex}, ${MEDIA_TYPES.ociManifest}`;
    const got = await send(method, path, undefined, { accept });
    assert.equal(got.status, 200, `${method} ${path}`);
    assert.equal(got.headers.get("content-type"), document.mediaType);
    assert.equal(got.headers.get("content-length"), String(document.bytes.length));
    assert.equal(got.headers.get("docker-content-digest"), document.digest);
    assert.equal(got.headers.get("etag"), `"${document.digest}"`);
    if (method === "GET") assert.deepEqual(got.bytes, document.bytes);
  }
}

export async function pushImage(
  repository: string,
  fields: object = {},
  algorithm: DigestAlgorithm = "sha256",
): Promise<Pushed> {
  const config = await pushContent(repository, randomBytes(40), MEDIA_TYPES.ociConfig, algorithm);
  const layer = await pushContent(repository, randomBytes(80), MEDIA_TYPES.ociLayerGzip, algorithm);
  return documentOf({ config, layers: [layer], ...fields }, algorithm);
}
