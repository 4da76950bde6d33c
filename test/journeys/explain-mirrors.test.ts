/** Registries behind mirrors, as `hosts.toml` has them: who is asked, who helps, and whose fault it is. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";

import { findCommand } from "../../src/cli/catalogue.ts";
import { runExplain } from "../../src/cli/explain/run-explain.ts";
import { parseArguments } from "../../src/cli/parse-arguments.ts";
import { createMemoryContext } from "../../src/cli/testing.ts";
import { ClientError, type HttpSend } from "../../src/client/index.ts";
import type { Explanation } from "../../src/explain/index.ts";
import { ScriptedRegistries, type ScriptedRegistry } from "./scripted-registries.ts";

const HOST = "registry.example.com";
const MIRROR = "mirror.example.com";
const OPEN: ScriptedRegistry = { images: { "shop/web:1": {} } };
const OTHER: ScriptedRegistry = { images: { "shop/web:2": {} } };
const EMPTY: ScriptedRegistry = { images: {} };
const BOTH = `server = "https://${HOST}"\n[host."https://${MIRROR}"]\n  capabilities = ["pull", "resolve"]\n`;

interface Case {
  readonly toml: string;
  readonly folder?: string;
  readonly mirror: ScriptedRegistry | "down";
  readonly registry: ScriptedRegistry | "down";
  readonly causes: readonly string[];
  readonly says?: readonly string[];
}

const CASES: Readonly<Record<string, Case>> = {
  "a mirror that has what the registry has no more": {
    toml: BOTH,
    mirror: OPEN,
    registry: OTHER,
    causes: [],
  },
  "a mirror that has nothing": { toml: BOTH, mirror: EMPTY, registry: OPEN, causes: [] },
  "a mirror that is down": {
    toml: BOTH,
    mirror: "down",
    registry: OPEN,
    causes: ["note MIRROR_FAILED"],
    says: [`for pull, resolve`, "connection refused"],
  },
  "a mirror that is down, and no such tag": {
    toml: BOTH,
    mirror: "down",
    registry: OTHER,
    causes: ["failure TAG_MISSING", "note MIRROR_FAILED"],
  },
  "a mirror that wants a login, and a registry that is down": {
    toml: BOTH,
    mirror: { ...OPEN, users: { alice: "alice-opens-sesame" } },
    registry: "down",
    causes: ["failure NO_CREDENTIALS", "failure CONNECTION_REFUSED", "note MIRROR_FAILED"],
    says: [`Mirror https://${MIRROR}/v2 wants a login`, `${HOST} itself:`],
  },
  "a mirror for pushing alone": {
    toml: BOTH.replace('["pull", "resolve"]', '["push"]'),
    mirror: OPEN,
    registry: { status: 429 },
    causes: ["failure RATE_LIMITED"],
  },
  "a mirror of everything": {
    toml: `[host."https://${MIRROR}"]\n`,
    folder: "_default",
    mirror: { status: 500 },
    registry: OPEN,
    causes: ["note MIRROR_FAILED"],
  },
  "a slip in a mirror's address": {
    toml: `[host."htps://${MIRROR}"]\n`,
    mirror: OPEN,
    registry: OPEN,
    causes: ["note MIRROR_FAILED"],
  },
  "a file that is no TOML": {
    toml: "server = https://x\n",
    mirror: OPEN,
    registry: OPEN,
    causes: ["risk MIRROR_MISCONFIGURED"],
  },
  "an authority whose file isn't there": {
    toml: `${BOTH}  ca = "/nowhere/ca.pem"\n`,
    mirror: OPEN,
    registry: OPEN,
    causes: ["failure MIRROR_MISCONFIGURED"],
  },
};

describe("explaining images behind mirrors", () => {
  for (const [name, one] of Object.entries(CASES)) {
    it(name, async () => {
      const { causes, tree } = await tell(one);
      assert.deepEqual(causes, one.causes, tree);
      for (const text of one.says ?? []) assert.ok(tree.includes(text), `${text}\n${tree}`);
    });
  }
});

/** Scripted registries, of which some are down. */
function network({ mirror, registry }: Case): HttpSend {
  const up = Object.entries({ [MIRROR]: mirror, [HOST]: registry }).filter(
    (entry): entry is [string, ScriptedRegistry] => entry[1] !== "down",
  );
  const { send } = new ScriptedRegistries(Object.fromEntries(up));
  const down = new Set(
    Object.entries({ [MIRROR]: mirror, [HOST]: registry }).flatMap(([host, is]) =>
      is === "down" ? [host] : [],
    ),
  );
  return async (request) => {
    const { host } = request.url;
    if (!down.has(host)) return await send(request);
    throw new ClientError("NETWORK_REFUSED", `Cannot reach "${host}": connection refused`);
  };
}

async function tell(one: Case): Promise<{ readonly causes: readonly string[]; readonly tree: string }> {
  const command = await findCommand("explain");
  assert.ok(command !== undefined);
  const cwd = await mkdtemp(join(tmpdir(), "dray-mirrors-"));
  try {
    const folder = join(cwd, "hosts", one.folder ?? HOST);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "hosts.toml"), one.toml);
    const containers = [{ name: "web", image: `${HOST}/shop/web:1` }];
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "web" }, spec: { containers } };
    const run = async (...words: readonly string[]): Promise<string> => {
      const context = createMemoryContext({ cwd, stdin: JSON.stringify(pod) });
      const line = ["-", "--complete", "--platform", "linux/amd64", "--hosts-dir", "hosts", ...words];
      const { values, positionals } = parseArguments(command, line);
      await runExplain({ values, positionals, send: network(one) }, context);
      return context.stdout.text;
    };
    const { pods } = JSON.parse(await run("--json")) as Explanation;
    const causes = pods.flatMap(({ images }) => images.flatMap((image) => image.causes));
    return { causes: causes.map(({ severity, code }) => `${severity} ${code}`), tree: await run() };
  } finally {
    await rm(cwd, { recursive: true });
  }
}
