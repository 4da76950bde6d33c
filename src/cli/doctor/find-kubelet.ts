/** The flags of the kubelet that runs on this machine, if one does: they say where its files are. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

export interface RunningKubelet {
  readonly pid: string;
  /** Last one wins, as for the kubelet. */
  readonly flags: ReadonlyMap<string, string>;
}

/** @param proc `/proc`; `undefined` comes back where there is none, or no kubelet in it */
export async function findKubelet(proc: string): Promise<RunningKubelet | undefined> {
  const names = await readdir(proc).catch((): readonly string[] => []);
  for (const pid of names.filter((name) => /^[0-9]+$/.test(name))) {
    const words = await readWords(join(proc, pid, "cmdline"));
    if (/(^|\/)kubelet$/.test(words[0] ?? "")) return { pid, flags: readFlags(words.slice(1)) };
  }
  return undefined;
}

/** A process may end while it is looked at. */
async function readWords(path: string): Promise<readonly string[]> {
  const text = await readFile(path, "utf8").catch(() => "");
  return text.split("\0");
}

/** `--name=value` and `--name value`; a flag without a value is of no interest here. */
function readFlags(words: readonly string[]): ReadonlyMap<string, string> {
  const flags = new Map<string, string>();
  for (const [index, word] of words.entries()) {
    const [, name = "", value] = /^--?([a-z][a-z0-9-]*)(?:=(.*))?$/s.exec(word) ?? [];
    const next = words[index + 1];
    if (name !== "" && value !== undefined) flags.set(name, value);
    else if (name !== "" && next !== undefined && !next.startsWith("-")) flags.set(name, next);
  }
  return flags;
}
