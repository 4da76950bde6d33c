/**
 * The quickstart: builds an image of the files in `app/`, pushes it over HTTP to a registry of its own, and lets a
 * node bring the images of the Pods in `pods/` here. One Pod is wrong on purpose.
 *
 *     npm start                            serves until Ctrl-C
 *     npm start -- --registry-port 5001    if something else has port 5000
 *     npm start -- --api-port 6444         the Kubernetes API elsewhere than on port 6443
 *     npm start -- --once                  ends when all has settled; fails unless the good Pod's images came
 */
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import {
  type CommandContext,
  type Output,
  type UpOptions,
  createProcessContext,
  endProcess,
  run,
  runUp,
  startHints,
} from "../../src/cli/index.ts";

import { authorize } from "./authorize.ts";

const DEFAULT_PORT = 5000;
const REPOSITORY = "quickstart/hello";
/** The same image, for those who show a password. */
const PRIVATE = "private/hello";

const here = fileURLToPath(new URL(".", import.meta.url));
const entry = createProcessContext();
const { context } = entry;

const { values } = parseArgs({
  options: {
    once: { type: "boolean" },
    json: { type: "boolean" },
    "registry-port": { type: "string", default: String(DEFAULT_PORT) },
    "api-port": { type: "string" },
    "data-dir": {
      type: "string",
      default: fileURLToPath(new URL("../../.dray/quickstart", import.meta.url)),
    },
  },
});
const port = Number(values["registry-port"]);
const dataDir = values["data-dir"];
const folder = port === DEFAULT_PORT ? join(here, "pods") : join(dataDir, "pods");

const result = await runUp(
  {
    folder,
    dataDir,
    address: "127.0.0.1",
    port,
    authorize,
    // A run that ends by itself has no use for a door.
    api: values.once === true ? undefined : { port: readPort(values["api-port"]) },
    recheckInterval: undefined,
    json: values.json === true,
    once: values.once === true,
    connection: {},
    onServing: async (registry) => {
      if (registry === undefined) {
        note("Choose another port: npm start -- --registry-port 5001");
        return;
      }
      if (port !== DEFAULT_PORT) await copyPods(registry.port);
      const name = `localhost:${registry.port}/${REPOSITORY}`;
      note(`Building an image of ${join(here, "app")} and pushing it as ${name}:1`);
      const tags = [`docker://${name}:1`, `docker://${name}:latest`].flatMap((tag) => ["--tag", tag]);
      const code = await run(
        ["build", ...tags, "--entrypoint", "/hello.sh", join(here, "app")],
        silent(context),
      );
      const secret = { ...silent(context), env: { ...context.env, DRAY_PASSWORD: "builder-pw" } };
      const hidden = `docker://localhost:${registry.port}/${PRIVATE}:1`;
      const words = ["build", "--username", "builder", "--tag", hidden, "--entrypoint", "/hello.sh"];
      const again = await run([...words, join(here, "app")], secret);
      if (code !== 0 || again !== 0)
        note("The image could not be built or pushed; the Pods show what is missing");
    },
    hints: (registry, api) => (values.json === true ? [] : hintsOf(registry, api)),
  },
  context,
);

const good = result.state.pods.find(({ name }) => name === "hello");
const came = good?.containers.every(({ phase }) => phase === "ready") === true;
if (values.once === true && !came) note('The images of Pod "hello" did not come');
await endProcess(result.code !== 0 ? result.code : values.once === true && !came ? 1 : 0, entry);

/** Makes the same Pods name the registry's real port. */
async function copyPods(actual: number): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const file of await readdir(join(here, "pods"))) {
    const text = await readFile(join(here, "pods", file), "utf8");
    await writeFile(
      join(folder, file),
      text.replaceAll(`localhost:${DEFAULT_PORT}/`, `localhost:${actual}/`),
    );
  }
}

function hintsOf(...[registry, api]: Parameters<NonNullable<UpOptions["hints"]>>): readonly string[] {
  const hints = startHints(folder, registry, api);
  if (registry === undefined || api === undefined) return hints;
  const host = `localhost:${registry.port}`;
  return [
    ...hints.slice(0, -2),
    `A private image, which user "me" may pull with password "me-pw": ${host}/${PRIVATE}:1`,
    `  kubectl create secret docker-registry regcred --docker-server=${host} --docker-username=me --docker-password=me-pw`,
    ...hints.slice(-2),
  ];
}

function note(text: string): void {
  void context.stderr.write(`${text}\n`);
}

/** Without the command's results, which only say a digest. */
function silent(from: CommandContext): CommandContext {
  const stdout: Output = { isTTY: false, columns: 80, rows: 24, write: () => {} };
  return { ...from, stdout };
}

function readPort(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}
