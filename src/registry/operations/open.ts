import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { BlockList } from "node:net";
import { hostname } from "node:os";
import { join, resolve } from "node:path";

import { Secret } from "../../internal/secret.ts";
import { clientOf, originOf } from "../access/origin.ts";
import type { EndpointSettings, RegistrySettings } from "../config/config.ts";
import { RegistryError } from "../errors.ts";
import { AccessLog, AccessLogFile } from "./access-log.ts";
import { AuditLog } from "./audit-log.ts";
import type { Exchange, Observer } from "./exchange.ts";
import { matchRepositories } from "./match-repositories.ts";
import { Notifier, type NotifierOptions } from "./notifications/notifier.ts";
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

/** What watches over a registry: give `observers` to it, and close this after it. */
export interface Operations extends AsyncDisposable {
  readonly observers: readonly Observer[];
  readonly statistics: Statistics;
  readonly audit: AuditLog | undefined;
  readonly notifier: Notifier | undefined;
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
  const accessLog = log && new AccessLog(write, { format: log.format, addressOf });

  const notifier =
    settings.notifications.length === 0
      ? undefined
      : opened.use(
          new Notifier({
            path: join(folder, NOTIFICATIONS_FILE),
            endpoints: await Promise.all(settings.notifications.map(openEndpoint)),
            source: { addr: `${hostname()}:${host.split(":").at(-1)}`, instanceID: randomUUID() },
            addressOf,
            originOf: ({ request }) => originOf(request, host),
            newId: randomUUID,
            fetch: options.fetch,
            onFailure,
          }),
        );
  const owned = opened.move();
  return {
    // The audit log first: what can't be written down shall not be told, either.
    observers: [statistics, auditLog, notifier, accessLog].filter((one) => one !== undefined),
    statistics,
    audit: auditLog,
    notifier,
    reopenLogs: async () => {
      for (const one of reopen) await one();
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function openEndpoint(settings: EndpointSettings): Promise<NotifierOptions["endpoints"][number]> {
  const { headers, headerFiles, repositories } = settings;
  const given = Object.entries(headers).map(([name, value]) => [name, new Secret(value)] as const);
  const read = await Promise.all(
    Object.entries(headerFiles).map(async ([name, path]) => [name, await readSecret(path, name)] as const),
  );
  return {
    ...settings,
    headers: [...given, ...read],
    matches: matchRepositories(repositories),
  };
}

async function readSecret(path: string, header: string): Promise<Secret> {
  try {
    return new Secret((await readFile(path, "utf8")).trim());
  } catch (cause) {
    const message = `Cannot read header ${JSON.stringify(header)} from ${JSON.stringify(path)}: it is not there or not readable`;
    throw new RegistryError("CONFIG_UNREADABLE", message, { cause });
  }
}
