import { logout as forgetCredential } from "../../credentials/index.ts";
import { type Command, defineCommand } from "../command.ts";

export const logout: Command = defineCommand({
  name: "logout",
  summary: "Forget the credential for a registry",
  options: { authfile: { type: "string", value: "FILE", summary: "Forget it in this file" } },
  arguments: [{ name: "REGISTRY", summary: "Host and port; Docker Hub without it", optional: true }],
  examples: [{ command: "dray logout ghcr.io", summary: "Log out" }],
  async run({ values, positionals: [registry = "docker.io"] }, { env, home, signal, stdout }) {
    const host = registry.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
    const path = values.authfile;
    const removed = await forgetCredential(host, { env, home, signal, ...(path !== undefined && { path }) });
    const text = removed ? `Removed login credentials for ${host}` : `Not logged in to ${host}`;
    await stdout.write(`${values.json === true ? JSON.stringify({ registry: host, removed }) : text}\n`);
  },
});
