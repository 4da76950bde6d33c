/** How registries are reached for an explanation: as all other commands reach them. */
import { resolve } from "node:path";

import {
  ConfiguredHosts,
  type HostResolver,
  type HttpSend,
  loadTlsSettings,
  selectProxy,
  SocketTransport,
} from "../../client/index.ts";
import { readTlsFiles } from "../connect.ts";
import type { CommandContext } from "../context.ts";
import type { ExplainValues } from "./options.ts";

export interface RegistrySide extends AsyncDisposable {
  readonly hosts: (log: (message: string) => void) => HostResolver;
  /** Undefined where nobody is to be asked. */
  readonly send: HttpSend | undefined;
}

/** @param send instead of sockets, for tests */
export async function openRegistrySide(
  values: ExplainValues,
  { cwd, env }: CommandContext,
  send?: HttpSend,
): Promise<RegistrySide> {
  const tls = await loadTlsSettings(readTlsFiles(values, cwd));
  const roots = (values["hosts-dir"] ?? []).map((folder) => resolve(cwd, folder));
  const offline = values["no-network"] === true;
  const transport =
    offline || send !== undefined
      ? undefined
      : new SocketTransport({ proxy: (url) => selectProxy(url, env) });
  return {
    hosts: (log) =>
      new ConfiguredHosts({
        roots,
        ...(Object.keys(tls).length > 0 && { tls }),
        ...(values["plain-http"] === true && { defaultScheme: "http" }),
        log,
      }),
    send: offline ? undefined : (send ?? transport?.send),
    [Symbol.asyncDispose]: async () => await transport?.close(),
  };
}
