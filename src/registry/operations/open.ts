import { randomUUID } from "node:crypto";
import type { BlockList } from "node:net";
import { hostname } from "node:os";
import { join, resolve } from "node:path";

import { clientOf, originOf } from "../access/origin.ts";
import type { RegistrySettings } from "../config/config.ts";
import { AccessLog, AccessLogFile } from "./access-log.ts";
import { AuditLog } from "./audit-log.ts";
import type { Exchange, Observer } from "./exchange.ts";
import { SwitchableNotifier } from "./notifications/switchable-notifier.ts";
import { Statistics } from "./statistics.ts";

/** In the storage folder: events that aren't delivered yet. */
export const NOTIFICATIONS_FILE = "notifications.db";

export interface OpenOperationsOptions {
  /** The storage folder. */
  readonly folder: string;
  /** How clients call the registry where a request doesn't say: `registry.example.com:5000`. */
  readonly host: string;
  /**
   * Networks whose word on where a request came from is taken, `undefined` for none; asked each time, since it may
   * change.
   */
  readonly proxies?: (() => BlockList | undefined) | undefined;
  /** Takes lines of the access log that go to no file. */
  readonly writeLine: (line: string) => void;
  readonly fetch?: typeof fetch | undefined;
  readonly onFailure: (error: unknown) => void;
}

/** What watches over a registry: give `observers` to it, which may become more, and close this after it. */
export interface Operations extends AsyncDisposable {
  readonly observers: readonly Observer[];
  readonly statistics: Statistics;
  readonly audit: AuditLog | undefined;
  readonly notifications: SwitchableNotifier;
  /** Opens log files anew, for whatever moves them away. */
  reopenLogs(): Promise<void>;
}

/** An address of IPv4 as a socket of IPv6 shows it. */
const MAPPED = /^::ffff:(?=[0-9]+\.)/i;

/** @throws RegistryError `CONFIG_UNREADABLE` for a file with a header, DatabaseError for the queue */
export async function openOperations(
  settings: Pick<RegistrySettings, "audit" | "log" | "notifications">,
  options: OpenOperationsOptions,
): Promise<Operations> {
  const { folder, onFailure, host } = options;
  await using opened = new AsyncDisposableStack();
  const addressOf = ({ request }: Exchange): string | undefined => {
    const proxies = options.proxies?.();
    return proxies === undefined ? request.address?.replace(MAPPED, "") : clientOf(request, proxies);
  };
  const statistics = new Statistics();
  const reopen: (() => Promise<void>)[] = [];

  const { audit, log } = settings;
  const auditLog = audit && opened.use(new AuditLog(resolve(folder, audit.file), { ...audit, addressOf }));
  if (auditLog !== undefined) reopen.push(() => auditLog.reopen());

  let write = options.writeLine;
  if (log?.file !== undefined) {
    const file = opened.use(new AccessLogFile(log.file, { ...log, sync: "never", onFailure }));
    write = (line) => file.write(line);
    reopen.push(() => file.reopen());
  }
  const observers: Observer[] = [statistics];
  // Before those that tell: what can't be written down shall not be told, either.
  if (auditLog !== undefined) observers.push(auditLog);
  if (log !== undefined) observers.push(new AccessLog(write, { format: log.format, addressOf }));

  const notifications = opened.use(
    new SwitchableNotifier({
      path: join(folder, NOTIFICATIONS_FILE),
      source: { addr: `${hostname()}:${host.split(":").at(-1)}`, instanceID: randomUUID() },
      addressOf,
      originOf: ({ request }) => originOf(request, host),
      newId: randomUUID,
      fetch: options.fetch,
      onFailure,
      onOpen: (notifier) => observers.push(notifier),
    }),
  );
  await notifications.replace(settings.notifications, { force: false });
  const owned = opened.move();
  return {
    observers,
    statistics,
    audit: auditLog,
    notifications,
    reopenLogs: async () => {
      for (const one of reopen) await one();
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
