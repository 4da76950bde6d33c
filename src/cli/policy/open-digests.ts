/** Looks digests up as the webhook does, with the Secrets and ServiceAccounts that stand among the files. */
import { DigestMemory } from "../../admission/index.ts";
import { StaticSource } from "../../credentials/index.ts";
import type { KubernetesObject, SecretObject } from "../../kubernetes/index.ts";
import { connect, type ConnectValues } from "../connect.ts";
import type { CommandContext } from "../context.ts";
import { describeError } from "../report-error.ts";
import { printable } from "../terminal/width.ts";
import { type NodeCredentialOptions, openNodeCredentials } from "../up/node-credentials.ts";
import { NodeRegistry } from "../up/node-registry.ts";
import type { PullObjects } from "../webhook/pull-objects.ts";
import { RegistryDigests } from "../webhook/registry-digests.ts";
import type { PinningSettings } from "../webhook/settings-file.ts";

export interface OpenDigestsOptions {
  readonly connection: ConnectValues;
  readonly credentials: NodeCredentialOptions;
  /** The node's root directory, for credentials. */
  readonly root: string;
  readonly pinning: PinningSettings;
  readonly secrets: readonly SecretObject[];
  readonly account: (namespace: string, name: string) => KubernetesObject | undefined;
}

/** The caller's stack closes it. */
export async function openDigests(
  options: OpenDigestsOptions,
  context: CommandContext,
  stack: AsyncDisposableStack,
): Promise<DigestMemory> {
  const { connection, credentials, root, pinning } = options;
  const warn = (error: unknown): void => {
    const message = typeof error === "string" ? error : describeError(error).message;
    void context.stderr.write(`Warning: ${printable(message)}\n`);
  };
  const { keyring, candidateOf } = await openNodeCredentials(credentials, {
    context,
    root,
    track: true,
    onWarning: warn,
  });
  const nobody = new StaticSource([]);
  const access = stack.use(await connect(connection, [], context, { credentials: nobody }));
  const registry = new NodeRegistry(access, { candidateOf });
  const memory = new DigestMemory({
    resolver: new RegistryDigests({
      objects: givenObjects(options),
      keyring,
      repository: (reference, credential) => registry.repository(reference, credential),
    }),
    now: () => context.clock.now(),
    startTimer: (milliseconds, callback) => {
      const timer = setTimeout(callback, milliseconds);
      return () => clearTimeout(timer);
    },
    ttl: pinning.ttl,
    stale: pinning.stale,
    keep: pinning.keep,
    onError: warn,
  });
  return stack.use(memory);
}

function givenObjects({ secrets, account }: OpenDigestsOptions): PullObjects {
  return {
    secret: ({ namespace, name }) => {
      const found = secrets.find(
        ({ metadata }) => metadata.namespace === namespace && metadata.name === name,
      );
      if (found === undefined) return Promise.resolve(undefined);
      const { metadata, type, data } = found;
      return Promise.resolve({ name, namespace, uid: metadata.uid ?? "", type, data });
    },
    accountSecrets: ({ namespace, name }) => {
      const found = account(namespace, name);
      if (found === undefined) return Promise.resolve([]);
      const { imagePullSecrets = [] } = found as { readonly imagePullSecrets?: readonly { name?: string }[] };
      return Promise.resolve(imagePullSecrets.map((reference) => reference.name ?? ""));
    },
  };
}
