import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { CredentialsError, type ProviderConfig, readProviderConfig } from "../../../src/credentials/index.ts";
import { formatDuration } from "../../../src/internal/go/duration.ts";
import { list, type Topic, type Vector, withoutEmpty } from "../topic.ts";

interface GivenFile {
  readonly name?: string;
  readonly text: string;
}

export const topic: Topic = {
  async check(vector) {
    const folder = await mkdtemp(join(tmpdir(), "dray-provider-config-"));
    try {
      return { actual: await read(vector, await layOut(vector, folder)), expected: expectation(vector) };
    } finally {
      await rm(folder, { recursive: true });
    }
  },
};

async function layOut(vector: Vector, folder: string): Promise<string> {
  const files = list<GivenFile>(vector, "files");
  for (const [index, { name, text }] of files.entries()) {
    const path = join(folder, name ?? `config-${String(index).padStart(3, "0")}.yaml`);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
    if (vector["layout"] === "file") return path;
  }
  return typeof vector["path"] === "string" ? vector["path"] : folder;
}

async function read(vector: Vector, path: string): Promise<Record<string, unknown>> {
  try {
    const { config, hash } = await readProviderConfig(path);
    return { error: true, config: config.providers.map((one) => withoutEmpty(plain(one))), hash };
  } catch (error) {
    if (!(error instanceof CredentialsError)) throw error;
    const part = (vector["errorContains"] ?? "") as string;
    const wanted = part !== "" && error.message.includes(part);
    return { error: wanted || error.message, config: null, hash: "" };
  }
}

function expectation(vector: Vector): Record<string, unknown> {
  const config = vector["expect"] as { readonly providers?: readonly unknown[] | null } | null | undefined;
  const providers = config ? (config.providers ?? []).map(withoutEmpty) : null;
  return { error: true, config: providers, hash: vector["configHash"] ?? "" };
}

/** As the vectors write it. */
function plain(provider: ProviderConfig): unknown {
  const { defaultCacheDuration, env, ...rest } = provider;
  return JSON.parse(
    JSON.stringify({
      ...rest,
      defaultCacheDuration:
        defaultCacheDuration === undefined ? undefined : formatDuration(defaultCacheDuration),
      env: env?.map(({ name, value }) => ({ name, value: value.reveal() })),
    }),
  ) as unknown;
}
