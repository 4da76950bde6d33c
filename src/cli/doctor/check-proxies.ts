import { isIP } from "node:net";

import { ClientError, type RegistryHost, selectProxy } from "../../client/index.ts";
import type { CommandContext } from "../context.ts";
import type { Findings } from "./finding.ts";

const AREA = "proxies";
const VARIABLES = ["HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"] as const;

/** The variables of whoever runs this; a runtime has those of its own service. */
export function checkProxies(
  findings: Findings,
  hosts: readonly Pick<RegistryHost, "scheme" | "host">[],
  { env }: CommandContext,
): void {
  const set = VARIABLES.filter((name) => (env[name] ?? env[name.toLowerCase()] ?? "") !== "");
  for (const name of set) {
    const [upper = "", lower = ""] = [env[name], env[name.toLowerCase()]];
    if (upper === "" || lower === "" || upper === lower) continue;
    const what = `${name} and ${name.toLowerCase()} differ; programs don't agree which one counts`;
    findings.add("PROXY_SPLIT", { where: name, what, mend: "Set both to the same" });
  }
  let isWrong = false;
  for (const scheme of ["https", "http"] as const) {
    try {
      // A name that no rule of NO_PROXY is about.
      selectProxy(new URL(`${scheme}://registry.invalid/`), { ...env, NO_PROXY: "", no_proxy: "" });
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      isWrong = true;
      const mend = "Write http://HOST:PORT, with the user's name and password escaped";
      // The value may hold a password.
      const what = "It holds no URL of a proxy";
      findings.add("PROXY_INVALID", { where: `${scheme.toUpperCase()}_PROXY`, what, mend });
    }
  }
  findings.saw(AREA, set.length === 0 ? "none in this environment" : `${set.join(", ")} in this environment`);
  findings.missed(AREA, "the runtime's own environment: see systemctl show containerd -p Environment");
  if (isWrong) return;
  for (const { scheme, host } of hosts) {
    const url = new URL(`${scheme}://${host}/`);
    const proxy = selectProxy(url, env);
    if (proxy === undefined || !isPrivate(url.hostname)) continue;
    const what = `${host} is asked by way of ${proxy.host}`;
    findings.add("PROXY_FOR_PRIVATE", { where: "NO_PROXY", what, mend: `Add ${url.hostname} to NO_PROXY` });
  }
}

/** Names that only a private network knows, and its addresses. */
function isPrivate(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, "");
  if (isIP(bare) === 4) return /^(10\.|192\.168\.|172\.(1[6-9]|2[0-9]|3[01])\.|169\.254\.)/.test(bare);
  if (isIP(bare) === 6) return /^f[cd]|^fe[89ab]/i.test(bare);
  return !bare.includes(".") || /\.(local|internal|lan|cluster\.local|svc)$/.test(bare);
}
