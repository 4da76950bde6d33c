/** `dray webhook`: everything between its options and the answers it gives. */
import { setTimeout as sleep } from "node:timers/promises";

import { DigestMemory, Webhook, type WebhookRoute } from "../../admission/index.ts";
import { CachingServiceAccounts, StaticSource } from "../../credentials/index.ts";
import type { KubernetesClient } from "../../kubernetes/index.ts";
import { type ConnectValues, connect } from "../connect.ts";
import type { CommandContext } from "../context.ts";
import { describeError } from "../report-error.ts";
import { printable } from "../terminal/width.ts";
import { type NodeCredentialOptions, openNodeCredentials } from "../up/node-credentials.ts";
import { NodeRegistry } from "../up/node-registry.ts";
import { admissionChain, type AdmissionChain } from "./admission-chain.ts";
import { writeCaBundle } from "./ca-bundle.ts";
import type { ClusterValues } from "./cluster.ts";
import { connectWebhook } from "./cluster.ts";
import { ClusterTokens } from "./cluster-tokens.ts";
import { folderIdentityStore, secretIdentityStore } from "./identity-store.ts";
import { certificateSecret, configurationName } from "./install-objects.ts";
import { fileIdentity, type IdentityKeeper, type KeptIdentity, ownIdentity } from "./keep-identity.ts";
import { WebhookMetrics } from "./metrics.ts";
import { clusterPullObjects, noPullObjects } from "./pull-objects.ts";
import { RegistryDigests } from "./registry-digests.ts";
import { serveWebhook } from "./serve.ts";
import type { AdmissionSettings } from "./settings-file.ts";

export interface RunWebhookOptions {
  readonly settings: AdmissionSettings;
  /** All by default. */
  readonly address?: string | undefined;
  readonly port: number;
  /** Certificate and key that somebody else makes. */
  readonly files?: { readonly cert: string; readonly key: string } | undefined;
  /** Without files: where a certificate of our own is kept when there is no cluster. */
  readonly folder: string;
  /** The namespace and name of the Service. */
  readonly service: { readonly namespace: string; readonly name: string };
  /** Further names and addresses for a certificate of our own. */
  readonly hosts: readonly string[];
  readonly cluster: ClusterValues;
  readonly connection: ConnectValues;
  readonly credentials: NodeCredentialOptions;
  /** The node's root directory, for credentials. */
  readonly root: string;
  readonly json: boolean;
  /** Milliseconds between looks at the certificate; half a minute by default. */
  readonly lookInterval?: number | undefined;
  /** Told when reviews are answered. */
  readonly onListening?: ((at: { readonly port: number; readonly url: string }) => void) | undefined;
}

/** Milliseconds between looks at the certificate and at what the API server was told of it. */
const IDENTITY_LOOK = 30_000;
/** For reviews under way when it ends: longer than the API server waits for any. */
const DRAIN = 30_000;
/** A proxy in front goes on sending for a moment after it was told that we are going. */
const FAREWELL = 2000;
/** Failures are remembered, and what asks is asked again: no need to try twice within one review. */
const RETRY = { attempts: 1 } as const;

/** Runs until the context's signal. */
export async function runWebhook(options: RunWebhookOptions, context: CommandContext): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const { settings, json } = options;
  const { signal } = context;
  const warn = (error: unknown): void => {
    const message = printable(typeof error === "string" ? error : describeError(error).message);
    void context.stderr.write(json ? `${JSON.stringify({ warning: message })}\n` : `dray: ${message}\n`);
  };
  const metrics = new WebhookMetrics();
  const connected = await connectWebhook(options.cluster, context);
  if (connected !== undefined) stack.use(connected);
  const client = connected?.client;
  const digests =
    settings.pinning === undefined
      ? undefined
      : stack.use(await openDigests(options, { context, client, metrics, warn, stack }));
  const webhook = new Webhook({
    routes: routesOf(admissionChain(settings, { digests })),
    deadline: settings.deadline,
    onReview: (report) => metrics.recordReview(report),
    onError: warn,
  });
  const keeper = identityKeeper(options, { context, client, warn });
  let identity = await keeper.look({ signal });
  metrics.setExpiry(identity.expiry);
  let leaving = false;
  const server = await serveWebhook(webhook, {
    host: options.address,
    port: options.port,
    tls: identity.tls,
    metrics: () => metrics.render(),
    notReady: () => (leaving ? "it is about to end" : undefined),
    onError: warn,
  });
  const onIdentity = (next: KeptIdentity): void => {
    if (next === identity) return;
    server.setIdentity(next.tls);
    identity = next;
    metrics.setExpiry(next.expiry);
  };
  stack.use(keepLooking(keeper, { onIdentity, warn, interval: options.lookInterval ?? IDENTITY_LOOK }));
  stack.defer(async () => {
    leaving = true;
    // In a cluster, who sends us reviews hears of our end through the API.
    if (client !== undefined) await sleep(FAREWELL);
    await server.close(DRAIN);
  });
  announce(options, { context, port: server.port });
  await aborted(signal);
}

/** All of it under two paths, and each plugin under one of its own for who wants to call them apart. */
function routesOf({ alwaysPull, pin, policy, all }: AdmissionChain): Readonly<Record<string, WebhookRoute>> {
  return {
    "/mutate": { chain: all, phase: "admit" },
    "/validate": { chain: all, phase: "validate" },
    ...(alwaysPull && {
      "/mutate/always-pull-images": { chain: [alwaysPull], phase: "admit" },
      "/validate/always-pull-images": { chain: [alwaysPull], phase: "validate" },
    }),
    ...(pin && { "/mutate/pin": { chain: [pin], phase: "admit" } }),
    ...(policy && { "/validate/policy": { chain: [policy], phase: "validate" } }),
  };
}

interface Wiring {
  readonly context: CommandContext;
  readonly client: KubernetesClient | undefined;
  readonly warn: (error: unknown) => void;
}

async function openDigests(
  { settings, connection, credentials, root }: RunWebhookOptions,
  wiring: Wiring & { readonly metrics: WebhookMetrics; readonly stack: AsyncDisposableStack },
): Promise<DigestMemory> {
  const { context, client, metrics, warn, stack } = wiring;
  const { keyring, candidateOf } = await openNodeCredentials(credentials, {
    context,
    root,
    track: true,
    onWarning: warn,
    serviceAccounts:
      client &&
      new CachingServiceAccounts(new ClusterTokens(client), {
        now: () => context.clock.now(),
        random: Math.random,
      }),
  });
  const nobody = new StaticSource([]);
  const access = stack.use(await connect(connection, [], context, { credentials: nobody, retry: RETRY }));
  const registry = new NodeRegistry(access, { candidateOf });
  const { pinning } = settings;
  return new DigestMemory({
    resolver: new RegistryDigests({
      objects: client === undefined ? noPullObjects : clusterPullObjects(client),
      keyring,
      repository: (reference, credential) => registry.repository(reference, credential),
    }),
    now: () => context.clock.now(),
    startTimer,
    ttl: pinning?.ttl,
    stale: pinning?.stale,
    keep: pinning?.keep,
    onAnswer: (answer) => metrics.recordLookup(answer),
    onError: warn,
  });
}

function identityKeeper(options: RunWebhookOptions, { context, client, warn }: Wiring): IdentityKeeper {
  const { files, folder, service, hosts } = options;
  if (files !== undefined) return fileIdentity(files);
  const { namespace, name } = service;
  const host = `${name}.${namespace}.svc`;
  const secret = { namespace, name: certificateSecret(name) };
  return ownIdentity({
    store: client === undefined ? folderIdentityStore(folder) : secretIdentityStore(client, secret),
    hosts: [host, `${host}.cluster.local`, ...hosts],
    now: () => context.clock.now(),
    onWarning: warn,
    publish: async (bundle, { signal }) => {
      if (client === undefined) return;
      await writeCaBundle(client, { name: configurationName(service), bundle, signal });
    },
  });
}

function keepLooking(
  keeper: IdentityKeeper,
  told: {
    readonly onIdentity: (identity: KeptIdentity) => void;
    readonly warn: (error: unknown) => void;
    readonly interval: number;
  },
): AsyncDisposable {
  const ending = new AbortController();
  const { signal } = ending;
  const look = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        await sleep(told.interval, undefined, { signal });
        told.onIdentity(await keeper.look({ signal }));
      } catch (error) {
        if (!signal.aborted) told.warn(error);
      }
    }
  };
  const looking = look();
  return {
    async [Symbol.asyncDispose]() {
      ending.abort();
      await looking;
    },
  };
}

function announce(
  options: RunWebhookOptions,
  { context, port }: { readonly context: CommandContext; readonly port: number },
): void {
  const { address = "localhost", json, onListening } = options;
  const host = address.includes(":") ? `[${address}]` : address;
  const url = `https://${host}:${port}`;
  const line = json ? JSON.stringify({ event: "listening", url }) : `Reviews are answered at ${url}`;
  void context.stdout.write(`${line}\n`);
  onListening?.({ port, url });
}

function startTimer(milliseconds: number, callback: () => void): () => void {
  const timer = setTimeout(callback, milliseconds);
  return () => clearTimeout(timer);
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
