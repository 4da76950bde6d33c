import { resolve } from "node:path";

import type { ListenSettings } from "../../registry/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { UsageError } from "../errors.ts";
import { findChange, hostsFiles, type HostsFile, writeHostsFile } from "../mirror/hosts-files.ts";
import { readMirrorConfig } from "../mirror/read-mirror-config.ts";

export const mirror: Command = defineCommand({
  name: "mirror",
  summary: "Tell nodes to pull through a registry that mirrors others",
  details: [
    "`dray mirror hosts` prints, for each registry that is mirrored, the hosts.toml by which containerd (and dray, with --hosts-dir) asks the mirror first and the registry itself after it.",
    "With --containerd the files are written where containerd looks for them. It reads them with every pull, so nothing has to be restarted. Files that somebody else wrote stay as they are, unless --force says otherwise.",
    "The configuration is that of `dray registry`, or its section `mirror` in a file of its own.",
  ],
  options: {
    config: {
      type: "string",
      short: "c",
      value: "FILE",
      summary: "The registry's configuration; registry.yaml by default",
    },
    server: {
      type: "string",
      value: "URL",
      summary: "How nodes reach the mirror; by default where the configuration says it listens",
    },
    containerd: {
      type: "string",
      value: "DIR",
      summary: "Write into this folder, such as /etc/containerd/certs.d",
    },
    check: { type: "boolean", summary: "Only say what would change in the folder; exit code 1 if anything" },
    force: { type: "boolean", summary: "Replace files that somebody else wrote, too" },
    ca: { type: "string", value: "FILE", summary: "On the nodes: trust the certificates in this PEM file" },
    "skip-verify": { type: "boolean", summary: "On the nodes: accept any certificate of the mirror" },
    "no-fallback": { type: "boolean", summary: "Never ask the registry itself" },
  },
  arguments: [{ name: "hosts", summary: "What to print or write: hosts.toml for each mirrored registry" }],
  examples: [
    {
      command: "dray mirror hosts -c registry.yaml --server https://mirror.example.com:5000",
      summary: "Print the files",
    },
    {
      command: "dray mirror hosts --containerd /etc/containerd/certs.d --check",
      summary: "See what would change on this node",
    },
  ],
  async run({ values, positionals }, context) {
    if (positionals[0] !== "hosts") {
      throw new UsageError(
        `Cannot show ${JSON.stringify(positionals[0])} of a mirror: there is hosts`,
        "mirror",
      );
    }
    if (values.containerd === undefined && (values.check === true || values.force === true)) {
      throw new UsageError("Options --check and --force need --containerd beside them", "mirror");
    }
    const found = await readMirrorConfig(resolve(context.cwd, values.config ?? "registry.yaml"));
    const files = hostsFiles(found.config, {
      server: values.server === undefined ? serverIn(found.listen) : readServer(values.server),
      ca: values.ca,
      skipVerify: values["skip-verify"],
      fallback: values["no-fallback"] !== true,
    });
    const json = values.json === true;
    const print = (fact: object, text: string): void => {
      void context.stdout.write(json ? `${JSON.stringify(fact)}\n` : text);
    };
    if (values.containerd === undefined) {
      for (const { registry, path, text } of files) print({ registry, path, text }, `# ${path}\n${text}\n`);
      return 0;
    }
    const folder = resolve(context.cwd, values.containerd);
    let differs = false;
    let foreign = 0;
    for (const file of files) {
      const change = await findChange(folder, file);
      const kept = change === "foreign" && values.force !== true;
      const changes = change !== "same" && !kept;
      differs ||= changes;
      if (kept) foreign++;
      if (changes && values.check !== true) await writeHostsFile(folder, file);
      print(
        { registry: file.registry, path: file.path, change: kept ? "kept" : changes ? change : "same" },
        `${describe(file, { kept, changes, planned: values.check === true })}\n`,
      );
    }
    if (foreign > 0) {
      void context.stderr.write(
        "Files that somebody else wrote were left as they are; --force replaces them\n",
      );
    }
    return (values.check === true && differs) || foreign > 0 ? 1 : 0;
  },
});

function describe(
  { path }: HostsFile,
  what: { readonly kept: boolean; readonly changes: boolean; readonly planned: boolean },
): string {
  if (what.kept) return `${path} is somebody else's`;
  if (!what.changes) return `${path} is current`;
  return what.planned ? `${path} would be written` : `${path} written`;
}

function readServer(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const web = url?.protocol === "https:" || url?.protocol === "http:";
  if (url !== undefined && web && url.pathname === "/" && url.search === "" && url.username === "") {
    return url.origin;
  }
  const how = "it is a URL without a path, such as https://mirror.example.com:5000";
  throw new UsageError(`Option --server does not take ${JSON.stringify(text)}: ${how}`, "mirror");
}

/** Only an address that others can reach under that name will do. */
function serverIn(listen: ListenSettings | undefined): string {
  const address = listen?.address ?? "127.0.0.1";
  if (listen === undefined || address === "::" || address === "0.0.0.0") {
    throw new UsageError("Option --server is needed: how nodes reach the mirror", "mirror");
  }
  const host = address.includes(":") ? `[${address}]` : address;
  return `${listen.tls === undefined ? "http" : "https"}://${host}:${listen.port ?? 5000}`;
}
