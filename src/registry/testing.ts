/** A registry in memory, asked without a socket: what the tests of this room share. */
import assert from "node:assert/strict";

import { digestOf, MEDIA_TYPES, type Digest } from "../oci/index.ts";
import { MemoryBlobStore } from "../store/index.ts";
import type { SqliteMetadata } from "./sqlite-metadata.ts";
import { openRegistry, type Registry, type RegistryOptions } from "./registry.ts";
import { openSqliteMetadata } from "./sqlite-metadata.ts";

export type Headers = Readonly<Record<string, string>>;

export class TestRegistry implements AsyncDisposable {
  readonly blobs: MemoryBlobStore;
  readonly metadata: SqliteMetadata = openSqliteMetadata(":memory:", { clock: () => this.now });
  readonly registry: Registry;
  readonly failures: unknown[] = [];
  now: number = 1_000_000;

  constructor(options: Partial<RegistryOptions> = {}) {
    const clock = (): number => this.now;
    this.blobs = new MemoryBlobStore({ now: clock });
    this.registry = openRegistry({
      blobs: this.blobs,
      metadata: this.metadata,
      clock,
      onFailure: (error) => this.failures.push(error),
      ...options,
    });
  }

  async send(method: string, path: string, body?: string, headers: Headers = {}): Promise<Response> {
    // As bytes: a string would bring a Content-Type along.
    const init: RequestInit = { method, headers, ...(body !== undefined && { body: Buffer.from(body) }) };
    return await this.registry.fetch(new Request(new URL(path, "http://registry"), init));
  }

  async pushBlob(repository: string, text: string): Promise<Digest> {
    const digest = digestOf(text);
    const answer = await this.send("POST", `/v2/${repository}/blobs/uploads/?digest=${digest}`, text);
    assert.equal(answer.status, 201);
    return digest;
  }

  async begin(repository: string): Promise<string> {
    const answer = await this.send("POST", `/v2/${repository}/blobs/uploads/`);
    assert.equal(answer.status, 202);
    return answer.headers.get("location") as string;
  }

  async put(path: string, document: object, headers: Headers = {}): Promise<Response> {
    return await this.send("PUT", path, JSON.stringify(document), headers);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.registry.close();
    await this.metadata[Symbol.asyncDispose]();
  }
}

export const EMPTY_INDEX: {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly manifests: readonly unknown[];
} = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [] };

export async function codesOf(answer: Response): Promise<string[]> {
  const { errors } = (await answer.json()) as { errors: { code: string }[] };
  return errors.map((error) => error.code);
}
