/** Directories of `hosts.toml` files: each is read as containerd reads it, which leaves out what it can't use. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import {
  certFiles,
  ClientError,
  type HostsTomlEntry,
  loadTlsSettings,
  parseHostsToml,
} from "../../client/index.ts";
import { checkAuthorityFile } from "./check-trust.ts";
import type { Findings } from "./finding.ts";
import { isReadableByAll, lookAt, octal } from "./look.ts";

const AREA = "mirrors";

export interface HostsRoot {
  readonly path: string;
  /** Whether somebody named it, rather than its being usual. */
  readonly named: boolean;
}

/** Where a runtime looks for such directories. */
export interface RuntimeLook {
  /** For people. */
  readonly who: string;
  readonly folders: readonly string[];
}

export interface HostsFacts {
  /** The roots that are there. */
  readonly roots: readonly string[];
  /** Registries with a directory of their own. */
  readonly registries: readonly string[];
}

export async function checkHosts(
  findings: Findings,
  roots: readonly HostsRoot[],
  { looks, now }: { readonly looks: readonly RuntimeLook[]; readonly now: number },
): Promise<HostsFacts> {
  const there: string[] = [];
  const registries = new Set<string>();
  for (const { path, named } of roots) {
    const look = await lookAt(path);
    if (look.state === "missing" && named) {
      const mend = `mkdir -p ${path}, or correct the option`;
      findings.add("HOSTS_DIR_MISSING", { where: path, what: "There is no such directory", mend });
    }
    if (look.state === "hidden") findings.missed(AREA, `${path}: ${look.why}`);
    if (look.state !== "there") continue;
    there.push(path);
    let names: readonly string[];
    try {
      const entries = await readdir(path, { withFileTypes: true });
      names = entries
        .filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
        .map(({ name }) => name);
    } catch (error) {
      findings.missed(
        AREA,
        `${path}: it can't be listed (${(error as NodeJS.ErrnoException).code ?? "EIO"})`,
      );
      continue;
    }
    for (const name of names.toSorted()) {
      await checkDirectory(findings, join(path, name), now);
      if (name !== "_default") registries.add(name.replace(/_([0-9]+)_$/, ":$1"));
    }
    if (names.length > 0) checkUse(findings, path, looks);
  }
  if (there.length === 0)
    findings.saw(AREA, "no directory of hosts.toml files: registries are asked themselves");
  return { roots: there, registries: [...registries] };
}

/** A runtime that tells where it looks, and looks elsewhere. */
function checkUse(findings: Findings, path: string, looks: readonly RuntimeLook[]): void {
  for (const { who, folders } of looks) {
    if (folders.includes(path)) continue;
    const where = folders.length === 0 ? "nowhere" : `in ${folders.join(", ")}`;
    const what = `${who} looks ${where}`;
    const mend = `Set registry.config_path to ${JSON.stringify(path)} in its config.toml, and restart it`;
    findings.add("HOSTS_NOT_USED", { where: path, what, mend });
  }
}

async function checkDirectory(findings: Findings, directory: string, now: number): Promise<void> {
  const path = join(directory, "hosts.toml");
  let names: readonly string[];
  let text = "";
  try {
    names = (await readdir(directory, { withFileTypes: true }))
      .filter((one) => !one.isDirectory())
      .map((one) => one.name);
    if (names.includes("hosts.toml")) text = await readFile(path, "utf8");
  } catch (error) {
    findings.missed(
      AREA,
      `${directory}: it can't be read (${(error as NodeJS.ErrnoException).code ?? "EIO"})`,
    );
    return;
  }
  try {
    const entries = await parseHostsToml(text, { directory });
    if (entries === undefined) await checkCertificates(findings, { directory, names, now });
    else {
      findings.saw(AREA, `${path}: ${describeEntries(entries)}`);
      for (const entry of entries) await checkEntry(findings, { path, entry, now });
    }
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    findings.add("HOSTS_INVALID", {
      where: path,
      what: error.message,
      mend: "Correct it; no restart is needed",
    });
  }
}

function describeEntries(entries: readonly HostsTomlEntry[]): string {
  const hosts = entries.filter(({ host }) => host !== "").map(({ host }) => host);
  return hosts.length === 0 ? "the registry itself" : hosts.join(", then ");
}

/** Docker's layout: certificates without a hosts.toml. */
async function checkCertificates(
  findings: Findings,
  {
    directory,
    names,
    now,
  }: { readonly directory: string; readonly names: readonly string[]; readonly now: number },
): Promise<void> {
  const { ca, client } = certFiles(names);
  if (ca.length === 0 && client.length === 0) {
    const what = "It holds neither a hosts.toml with anything in it nor certificates";
    findings.add("HOSTS_EMPTY", {
      where: directory,
      what,
      mend: "Write a hosts.toml, or remove the directory",
    });
    return;
  }
  findings.saw(AREA, `${directory}: certificates without a hosts.toml`);
  await checkFiles(findings, {
    where: directory,
    ca: ca.map((name) => join(directory, name)),
    client: client.map(([cert, key]): [string, string] => [
      join(directory, cert),
      key === "" ? "" : join(directory, key),
    ]),
    now,
  });
}

async function checkEntry(
  findings: Findings,
  { path, entry, now }: { readonly path: string; readonly entry: HostsTomlEntry; readonly now: number },
): Promise<void> {
  const { host, ca = [], client = [], skipVerify, header } = entry;
  const whom = host === "" ? "the registry itself" : host;
  if (skipVerify === true) {
    const what = `skip_verify is set for ${whom}, so anybody on the way may be it`;
    findings.add("HOSTS_SKIP_VERIFY", {
      where: path,
      what,
      mend: "Name its authority with ca = […] instead",
    });
  }
  if (Object.keys(header).some((name) => /^(proxy-)?authorization$/i.test(name))) {
    const look = await lookAt(path);
    if (look.state === "there" && isReadableByAll(look.stats)) {
      const what = `Its mode is ${octal(look.stats)}, and it has an Authorization header for ${whom}`;
      findings.add("HOSTS_SECRET_READABLE", { where: path, what, mend: `chmod 600 ${path}` });
    }
  }
  await checkFiles(findings, { where: path, ca, client, now });
}

async function checkFiles(
  findings: Findings,
  files: {
    readonly where: string;
    readonly ca: readonly string[];
    readonly client: readonly (readonly [string, string])[];
    readonly now: number;
  },
): Promise<void> {
  const { where, ca, client, now } = files;
  for (const file of ca) await checkAuthorityFile(findings, file, { now, code: "HOSTS_FILES_UNUSABLE" });
  for (const pair of client) {
    try {
      await loadTlsSettings({ client: [pair] });
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      const mend = "Without it, no pull from this registry works";
      findings.add("HOSTS_FILES_UNUSABLE", { where, what: error.message, mend });
    }
  }
}
