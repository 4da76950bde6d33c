/** An API server as the recorded one was set up: with the plugins that are on by default. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { defaultTolerationSeconds, priority, serviceAccountAdmission } from "../../../src/admission/index.ts";
import { type ApiServer, openApiServer } from "../../../src/apiserver/index.ts";
import type { KubernetesObject, Transport } from "../../../src/kubernetes/index.ts";

export interface ApiLab extends AsyncDisposable {
  readonly send: Transport;
}

export async function openApiLab(): Promise<ApiLab> {
  const folder = await mkdtemp(join(tmpdir(), "dray-api-"));
  const read = async (name: { readonly namespace: string; readonly name: string }) =>
    await findAccount(server, name);
  const plugins = [serviceAccountAdmission({ accounts: { read } }), priority, defaultTolerationSeconds];
  const server: ApiServer = await openApiServer({ folder, plugins });
  return {
    send: server.transport(),
    [Symbol.asyncDispose]: async () => {
      await server.close();
      await rm(folder, { recursive: true });
    },
  };
}

async function findAccount(
  server: ApiServer,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): Promise<KubernetesObject | undefined> {
  const found = await server.storage.find({ resource: "serviceaccounts", namespace, name });
  return found?.object;
}
