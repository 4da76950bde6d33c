import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { CredentialsError, type ProviderConfig, readProviderConfig } from "../../../src/credentials/index.ts";
import { formatDuration } from "../../../src/internal/go/duration.ts";
import type { Topic, Vector } from "../topic.ts";

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
  const files = (vector["files"] ?? []) as readonly GivenFile[];
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
    return { error: true, config: { providers: config.providers.map((one) => plain(one)) }, hash };
  } catch (error) {
    if (!(error instanceof CredentialsError)) throw error;
    const part = (vector["errorContains"] ?? "") as string;
    const wanted = part !== "" && error.message.includes(part);
    return { error: wanted || error.message, config: null, hash: "" };
  }
}

function expectation(vector: Vector): Record<string, unknown> {
  return { error: true, config: vector["expect"] ?? null, hash: vector["configHash"] };
}

/** As the vectors write it: members that weren't there are left out. */
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
