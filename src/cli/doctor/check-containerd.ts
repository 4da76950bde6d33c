/** containerd's configuration, as far as it says where `hosts.toml` files are. */
import { readFile } from "node:fs/promises";

import type { Findings } from "./finding.ts";

const AREA = "containerd configuration";

/** Where the CRI's registries are configured: of version 3, and of those before. */
const PLUGINS = ["io.containerd.cri.v1.images", "io.containerd.grpc.v1.cri"] as const;

/** The folders of `config_path`; `undefined` where the file doesn't say, and each containerd has its own default. */
export async function checkContainerd(
  findings: Findings,
  { path, named }: { readonly path: string; readonly named: boolean },
): Promise<readonly string[] | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "EIO";
    if (named && code === "ENOENT") {
      const what = "There is no such file";
      findings.add("CONTAINERD_CONFIG_INVALID", { where: path, what, mend: "Correct --containerd-config" });
    } else if (code !== "ENOENT") findings.missed(AREA, `${path}: it can't be read (${code})`);
    return undefined;
  }
  const { parse, TomlError } = await import("smol-toml");
  let plugins: unknown;
  try {
    ({ plugins } = parse(text));
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // The parser shows the line, which may hold a password.
    const what = `It isn't TOML: line ${error.line}, column ${error.column}`;
    findings.add("CONTAINERD_CONFIG_INVALID", {
      where: path,
      what,
      mend: "Correct it, then restart containerd",
    });
    return undefined;
  }
  for (const plugin of PLUGINS) {
    const configPath = memberOf(memberOf(memberOf(plugins, plugin), "registry"), "config_path");
    if (typeof configPath !== "string") continue;
    const folders = configPath.split(":").filter((folder) => folder !== "");
    findings.saw(
      AREA,
      `${path}: hosts.toml files are looked for ${folders.length === 0 ? "nowhere" : `in ${folders.join(", ")}`}`,
    );
    return folders;
  }
  findings.missed(AREA, `${path}: it doesn't say config_path, and its imports aren't followed`);
  return undefined;
}

function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}
