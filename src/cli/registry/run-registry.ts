/** `dray registry`: everything between its configuration and the last answer it gives. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { expiryOf } from "../../internal/certificates.ts";
import { makeFolder } from "../../internal/make-folder.ts";
import {
  ACCESS_FILE,
  openOperations,
  openRegistryDirectory,
  openSqliteAccessStore,
  openSqliteTenantStore,
  type RegistryRules,
  type RegistrySettings,
  serveRegistry,
  type ServedRegistry,
  TENANTS_FILE,
} from "../../registry/index.ts";
import type { CommandContext } from "../context.ts";
import { openConfiguredMirror } from "../mirror/open-mirror.ts";
import { describeError } from "../report-error.ts";
import { printable } from "../terminal/width.ts";
import { readVersion } from "../version.ts";
import { AccessKeeper } from "./access-keeper.ts";
import { CollectionCounts } from "./collection-counts.ts";
import { openControlSocket } from "./control-socket.ts";
import { withHealth } from "./health.ts";
import { LoginNotes } from "./login-notes.ts";
import { LoginCounts, renderRegistryMetrics } from "./metrics.ts";
import { MirrorCounts } from "./mirror-counts.ts";
import type { ResolvedRegistry } from "./options.ts";
import { Reloader } from "./reload.ts";
import { serveRegistryMetrics } from "./serve-metrics.ts";
import { noteCollected } from "./note-collected.ts";
import { liveStatus } from "./status.ts";
import { TlsKeeper } from "./tls-keeper.ts";
import { watchFiles } from "./watch-files.ts";

export interface RunRegistryOptions {
  /** Reads configuration and options; called again when they are to be read anew. */
  readonly resolve: () => Promise<ResolvedRegistry>;
  readonly json: boolean;
  /** Milliseconds between looks at files; a second by default. */
  readonly lookEvery?: number | undefined;
  /** Waits while load balancers hear that no more requests are wanted; by the time of the machine by default. */
  readonly waitFarewell?: ((milliseconds: number) => Promise<void>) | undefined;
  /** Told when requests are answered. */
  readonly onListening?: ((served: ServedRegistry, metricsPort: number | undefined) => void) | undefined;
}

const LOOK_EVERY = 1_000;

/** Runs until the context's signal. */
export async function runRegistry(options: RunRegistryOptions, context: CommandContext): Promise<void> {
  const say = speaker(options, context);
  const onFailure = (error: unknown): void => say("warning", describeError(error).message);
  const { resolve } = options;
  const first = await resolve();
  const { settings, folder } = first;
  const { listen, storage } = settings;
  context.signal.throwIfAborted();

  // Taken down in the opposite order: what others count on goes last.
  await using stack = new AsyncDisposableStack();
  makeFolder(folder, { mode: 0o700 });
  const tls = listen.tls === undefined ? undefined : new TlsKeeper(listen.tls);
  let identity = await tls?.look();
  const logins = new LoginCounts();
  const clock = (): number => context.clock.now();
  const collections = new CollectionCounts(clock);
  const mirrored = settings.mirror && new MirrorCounts();
  const loginNotes = new LoginNotes(clock);
  const store = stack.use(openSqliteAccessStore(join(folder, ACCESS_FILE)));
  const tenants = stack.use(openSqliteTenantStore(join(folder, TENANTS_FILE)));
  const access = stack.use(
    await AccessKeeper.open(settings.access, {
      store,
      tenants,
      logins,
      onLoginFailed: (event) => void loginNotes.note(event).catch(onFailure),
      onFailure,
    }),
  );
  const port = listen.port ?? 5000;
  const operations = stack.use(
    await openOperations(settings, {
      folder,
      host: `${listen.address ?? "127.0.0.1"}:${port}`,
      proxies: () => access.proxies,
      writeLine: (line) => void context.stdout.write(`${line}\n`),
      onFailure,
    }),
  );
  const { audit, statistics, notifications } = operations;
  loginNotes.writeTo(audit);
  let [serving, leaving] = [false, false];
  const notReady = (): string | undefined =>
    leaving ? "it is about to end" : serving ? undefined : "it is about to begin";
  const { mirror } = settings;
  const registry = await openRegistryDirectory(folder, {
    mirror:
      mirror &&
      (await openConfiguredMirror(mirror.config, {
        dir: folder,
        folder: mirror.folder,
        env: context.env,
        clock,
        onEvent: (event, upstream) => mirrored?.count(event, upstream),
        onWarning: (text) => say("warning", text),
        onFailure,
      })),
    access: withHealth(access.control, notReady),
    tenants: true,
    observers: operations.observers,
    ...rulesIn(settings),
    onCollect: (result) => {
      collections.count(result);
      void noteCollected(audit, result).catch(onFailure);
    },
    onCollectFailed: () => collections.countFailed(),
    cacheSize: storage.cache,
    clock,
    onFailure,
  });
  stack.use(registry);
  const startedAt = context.clock.now();
  const version = await readVersion();
  const lockedOut = () => access.control.lockedOut();
  const metrics = (): string =>
    renderRegistryMetrics({
      counts: statistics.counts,
      underWay: statistics.underWay,
      logins,
      lockedOut: lockedOut(),
      notifications: notifications.notifier?.tallies() ?? [],
      collections,
      mirror: mirrored,
      ready: notReady() === undefined,
      startedAt: startedAt / 1_000,
      certificateExpiry: identity && expiryOf(String(identity.cert)) / 1_000,
      version,
    });
  // Before requests and after them: who looks at the process sees it to its end.
  const metricsServer =
    settings.metrics && (await serveRegistryMetrics(settings.metrics, { metrics, notReady }));
  if (metricsServer !== undefined) stack.defer(() => metricsServer.close(1_000));
  const served = await serveRegistry({
    registry,
    host: listen.address,
    port,
    tls: identity,
    http2: listen.http2,
    idleTimeout: listen.idle,
    drainTimeout: listen.drain,
    onFailure,
  });
  stack.defer(() => served.close());
  serving = true;

  const reloader = new Reloader({
    resolve,
    settings,
    access,
    notifications,
    setRules: (next) => registry.setRules(rulesIn(next)),
    tls,
    sources: first.sources,
    identity,
    onIdentity: (next) => {
      served.setIdentity(next);
      identity = next;
    },
    reopenLogs: () => operations.reopenLogs(),
    say,
  });
  const ending = new AbortController();
  const watching = watchFiles({
    paths: () => reloader.paths,
    interval: options.lookEvery ?? LOOK_EVERY,
    signal: ending.signal,
    onChange: async () => void (await reloader.reload({ asked: false })),
  });
  stack.defer(async () => {
    ending.abort();
    await watching;
  });
  const stopHearing = context.onHangup?.(() => void reloader.reload({ asked: true }));
  stack.defer(() => stopHearing?.());
  stack.use(
    await openControlSocket(folder, {
      status: () =>
        liveStatus({
          served,
          startedAt,
          leaving,
          statistics,
          lockedOut: lockedOut(),
          notifications,
          version,
        }),
      reload: () => reloader.reload({ asked: true }),
    }),
  );
  stack.defer(async () => {
    leaving = true;
    say("draining", "No more requests are wanted; those under way may finish");
    await (options.waitFarewell ?? sleep)(listen.farewell);
    await served.close();
  });
  announce(served, { options, context, metricsPort: metricsServer?.port, secure: tls !== undefined });
  await aborted(context.signal);
}

/** What can change while it serves. */
function rulesIn({ limits, collection, storage }: RegistrySettings): RegistryRules {
  const { maxManifestSize, maxBlobSize } = limits;
  const { sparse, deletable, uploads: uploadAge } = storage;
  return { limits, maxManifestSize, maxBlobSize, collection, sparse, deletable, uploadAge };
}

export type Say = (event: "warning" | "reloaded" | "draining", message: string) => void;

function speaker({ json }: RunRegistryOptions, { stderr }: CommandContext): Say {
  return (event, message) => {
    const line = json
      ? JSON.stringify({ event, message })
      : `${event === "warning" ? "dray: " : ""}${printable(message)}`;
    void stderr.write(`${line}\n`);
  };
}

function announce(
  served: ServedRegistry,
  {
    options,
    context,
    metricsPort,
    secure,
  }: {
    readonly options: RunRegistryOptions;
    readonly context: CommandContext;
    readonly metricsPort: number | undefined;
    readonly secure: boolean;
  },
): void {
  const { address, port } = served;
  const host = address.includes(":") ? `[${address}]` : address;
  const url = `${secure ? "https" : "http"}://${host}:${port}`;
  const lines = options.json
    ? [JSON.stringify({ event: "listening", url, metricsPort })]
    : [
        `Registry on ${url}`,
        ...(metricsPort === undefined ? [] : [`Metrics and health on port ${metricsPort}`]),
      ];
  for (const line of lines) void context.stdout.write(`${line}\n`);
  options.onListening?.(served, metricsPort);
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
