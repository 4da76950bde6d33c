import { readFile } from "node:fs/promises";

import { type DockerDocument, searchNodeFiles } from "../../credentials/index.ts";
import type { CommandContext } from "../context.ts";
import type { Findings } from "./finding.ts";
import { isReadableByAll, lookAt, octal } from "./look.ts";

const AREA = "credentials";

/** The files where a kubelet looks for the node's own credentials, each of them, in its order. */
export async function checkCredentialFiles(
  findings: Findings,
  { kubeletRoot }: { readonly kubeletRoot: string },
  { env, home }: CommandContext,
): Promise<void> {
  // A kubelet's working directory is the root, as systemd starts it.
  const places = { root: kubeletRoot, workingDirectory: "/", home: env["HOME"] ?? home };
  const texts = new Map<string, string>();
  const passed = new Set<string>();
  let first: string | undefined;
  for (;;) {
    const { searched, found } = await searchNodeFiles(places, async (path) => {
      if (passed.has(path)) throw Object.assign(new Error(path), { code: "ENOENT" });
      const bytes = await readFile(path);
      texts.set(path, bytes.toString("utf8"));
      return bytes;
    });
    for (const { path, problem } of searched) {
      if (passed.has(path) || problem === undefined) continue;
      if (problem === "unreadable") await checkUnreadable(findings, path);
      else {
        const what = "It can't be decoded; one bad entry spoils the whole file";
        const mend = `Write it anew: kubectl create secret docker-registry … --dry-run=client shows the form`;
        findings.add("CREDENTIALS_INVALID", { where: path, what, mend });
        await checkMode(findings, path);
      }
      passed.add(path);
    }
    if (found === undefined) break;
    const { path, document } = found;
    passed.add(path);
    const hosts = [...document.keys()];
    findings.saw(AREA, `${path}: ${hosts.length === 0 ? "no registries" : hosts.join(", ")}`);
    if (first === undefined) first = path;
    else {
      const what = `The kubelet stops at ${first}, so ${hosts.join(", ") || "this file"} isn't looked up here`;
      findings.add("CREDENTIALS_SHADOWED", {
        where: path,
        what,
        mend: `Merge it into ${first}, or remove one`,
      });
    }
    await checkMode(findings, path);
    checkEntries(findings, path, { document, text: texts.get(path) ?? "" });
  }
  if (first === undefined) findings.saw(AREA, "the node has no credentials of its own in files");
}

async function checkUnreadable(findings: Findings, path: string): Promise<void> {
  const look = await lookAt(path);
  if (look.state === "missing") return;
  if (look.state === "there" && look.stats.isDirectory()) {
    const what = "It is a directory; the kubelet passes over it";
    findings.add("CREDENTIALS_UNREADABLE", { where: path, what, mend: "Move it away, and write a file" });
  } else findings.missed(AREA, `${path}: you may not read it; ask as root`);
}

async function checkMode(findings: Findings, path: string): Promise<void> {
  const look = await lookAt(path);
  if (look.state !== "there" || !isReadableByAll(look.stats)) return;
  const what = `Its mode is ${octal(look.stats)}, and it holds passwords`;
  findings.add("CREDENTIALS_OPEN", { where: path, what, mend: `chmod 600 ${path}` });
}

function checkEntries(
  findings: Findings,
  where: string,
  { document, text }: { readonly document: DockerDocument; readonly text: string },
): void {
  for (const name of helpersOf(text)) {
    const what = `It names ${name}, which Docker runs and the kubelet doesn't`;
    const mend = "Write the entry itself, or set up a credential provider plugin";
    findings.add("CREDENTIALS_HELPERS_IGNORED", { where, what, mend });
  }
  for (const [registry, { username, password }] of document) {
    if (username !== "" || !password.empty) continue;
    const what = `The entry of ${registry} is empty, and is tried all the same`;
    findings.add("CREDENTIALS_EMPTY", { where, what, mend: "Fill it, or remove it" });
  }
}

/** Only names of programs: everything else in such a file may be a secret. */
function helpersOf(text: string): readonly string[] {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return [];
  }
  const { credsStore, credHelpers } = (document ?? {}) as {
    readonly credsStore?: unknown;
    readonly credHelpers?: unknown;
  };
  const stores = typeof credsStore === "string" && credsStore !== "" ? [`credsStore ${credsStore}`] : [];
  const helpers = typeof credHelpers === "object" && credHelpers !== null ? Object.keys(credHelpers) : [];
  return [...stores, ...helpers.map((registry) => `a helper for ${registry}`)];
}
