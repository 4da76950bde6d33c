/**
 * Seven ways to a private image, and three that fail: a registry that asks everybody who they are, and a node with the
 * Pods in `pods/`, the file in `node/` and the exec provider in `providers/`.
 *
 *     node examples/private-registry/start.ts                        serves until Ctrl-C
 *     node examples/private-registry/start.ts --registry-port 5001   if something else has port 5000
 *     node examples/private-registry/start.ts --once                 ends when all has settled
 */
import { cp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import {
  type CommandContext,
  type Output,
  createProcessContext,
  endProcess,
  run,
  runUp,
  startHints,
} from "../../src/cli/index.ts";
import { authorize } from "./authorize.ts";

const DEFAULT_PORT = 5000;
const BUILDER = "builder";
const WAYS = [
  "node-file",
  "glob-entry",
  "in-turn",
  "pod-secret",
  "service-account",
  "exec-provider",
  "pre-pulled",
];

class NoRegistry extends Error {}

const here = fileURLToPath(new URL(".", import.meta.url));
const entry = createProcessContext();
const { context } = entry;

const { values } = parseArgs({
  options: {
    once: { type: "boolean" },
    json: { type: "boolean" },
    "registry-port": { type: "string", default: String(DEFAULT_PORT) },
    "data-dir": {
      type: "string",
      default: fileURLToPath(new URL("../../.dray/private-registry", import.meta.url)),
    },
  },
});
const dataDir = values["data-dir"];
const folder = join(dataDir, "pods");
const providers = join(dataDir, "providers");
await rm(folder, { recursive: true, force: true });
await mkdir(providers, { recursive: true });
await cp(join(here, "providers", "bin"), join(providers, "bin"), { recursive: true });

const result = await runUp(
  {
    folder,
    dataDir,
    address: "127.0.0.1",
    port: Number(values["registry-port"]),
    authorize,
    credentials: {
      providerConfig: join(providers, "config.yaml"),
      providerBinDir: join(providers, "bin"),
    },
    recheckInterval: undefined,
    json: values.json === true,
    once: values.once === true,
    connection: {},
    onServing: async (registry) => {
      if (registry === undefined) throw new NoRegistry();
      const { port } = registry;
      await copyFiles("providers", providers, port);
      await copyFiles("node", dataDir, port);
      await copyFiles("pods", folder, port);
      for (const way of WAYS)
        await dray("build", "--tag", `docker://localhost:${port}/${way}/app:1`, join(here, "app"));
      await dray("pull", "--quiet", "--data-dir", dataDir, `localhost:${port}/pre-pulled/app:1`);
    },
    hints: (registry) => (values.json === true ? [] : startHints(folder, registry)),
  },
  context,
).catch((error: unknown) => {
  if (!(error instanceof NoRegistry)) throw error;
  note("Without a registry of its own there is nothing to show: choose a port with --registry-port");
  return { code: 1, state: { pods: [] } };
});

const came = (name: string): boolean =>
  result.state.pods.some(
    (pod) => pod.name === name && pod.containers.every(({ phase }) => phase === "ready"),
  );
const missing = WAYS.filter((way) => !came(way));
if (values.once === true && missing.length > 0) note(`These images did not come: ${missing.join(", ")}`);
await endProcess(result.code !== 0 ? result.code : values.once === true && missing.length > 0 ? 1 : 0, entry);

/** Copies a folder's files, so that they name the registry's real port. */
async function copyFiles(name: string, to: string, port: number): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const file of await readdir(join(here, name), { withFileTypes: true })) {
    if (!file.isFile()) continue;
    const text = await readFile(join(here, name, file.name), "utf8");
    await writeFile(join(to, file.name), text.replaceAll(`:${DEFAULT_PORT}`, `:${port}`));
  }
}

/** Runs a command as the one who may push everywhere. */
async function dray(command: string, ...words: readonly string[]): Promise<void> {
  const stdout: Output = { isTTY: false, columns: 80, rows: 24, write: () => {} };
  const env = { ...context.env, DRAY_PASSWORD: `${BUILDER}-pw` };
  const silent: CommandContext = { ...context, env, stdout };
  const code = await run([command, "--username", BUILDER, ...words], silent);
  if (code !== 0) note(`dray ${command} ended with ${code}; the Pods show what is missing`);
}

function note(text: string): void {
  void context.stderr.write(`${text}\n`);
}
