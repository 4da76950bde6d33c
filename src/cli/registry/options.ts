/** What the command line says of a registry, put together with its configuration. */
import { join, resolve } from "node:path";

import {
  type AccessSettings,
  defaultSettings,
  readAccessFile,
  readRegistryConfig,
  type RegistrySettings,
  type TlsFiles,
} from "../../registry/index.ts";
import type { CommandContext } from "../context.ts";
import { UsageError } from "../errors.ts";
import { dataDir, readPort } from "../settings.ts";

/** Where a registry is, for everything that looks after it. */
export const FOLDER_OPTIONS = {
  config: {
    type: "string",
    short: "c",
    value: "FILE",
    summary: "The registry's configuration (YAML or JSON)",
  },
  "data-dir": {
    type: "string",
    value: "DIR",
    summary:
      "Its folder is registry in here; by default what the configuration says, or $XDG_DATA_HOME/dray, or /var/lib/dray as root",
  },
} as const;

export interface FolderValues {
  readonly config?: string;
  readonly "data-dir"?: string;
}

export const SERVE_OPTIONS = {
  address: { type: "string", value: "ADDRESS", summary: "Listen on this address; 127.0.0.1 by default" },
  port: { type: "string", value: "PORT", summary: "Listen here; 5000 by default, 0 for any free port" },
  "tls-cert": {
    type: "string",
    value: "FILE",
    summary: "Show this certificate (PEM); read again when it changes",
  },
  "tls-key": { type: "string", value: "FILE", summary: "Its key (PEM)" },
  "tls-client-ca": {
    type: "string",
    value: "FILE",
    summary: "Take only clients with a certificate that these (PEM) vouch for",
  },
  htpasswd: { type: "string", value: "FILE", summary: "Users and their passwords, made by htpasswd -B" },
  access: { type: "string", value: "FILE", summary: "Who may do what (YAML or JSON)" },
  log: {
    type: "string",
    value: "FORMAT",
    choices: ["json", "combined"],
    summary: "Print a line for every request",
  },
  "metrics-port": {
    type: "string",
    value: "PORT",
    summary: "Serve /metrics and /healthz on 127.0.0.1; 0 for any free port",
  },
} as const;

export interface ServeValues extends FolderValues {
  readonly address?: string;
  readonly port?: string;
  readonly "tls-cert"?: string;
  readonly "tls-key"?: string;
  readonly "tls-client-ca"?: string;
  readonly htpasswd?: string;
  readonly access?: string;
  readonly log?: string;
  readonly "metrics-port"?: string;
}

/** The folder of a registry, and what its configuration says. */
export interface ResolvedRegistry {
  readonly settings: RegistrySettings;
  readonly folder: string;
  /** Files that say more than their names here. */
  readonly sources: readonly string[];
}

/** @throws UsageError, RegistryError */
export async function resolveRegistry(
  values: ServeValues,
  context: CommandContext,
): Promise<ResolvedRegistry> {
  const fileOf = (name: string): string => resolve(context.cwd, name);
  const config = values.config === undefined ? undefined : fileOf(values.config);
  const written = config === undefined ? defaultSettings() : await readRegistryConfig(config);
  const access = await readAccess(values, written.access, fileOf);
  const { listen } = written;
  const settings: RegistrySettings = {
    ...written,
    access,
    listen: {
      ...listen,
      address: values.address ?? listen.address,
      port: readPort(values.port, "--port") ?? listen.port,
      tls: readTls(values, listen.tls, fileOf),
    },
    log: values.log === undefined ? written.log : logTo(values.log === "json" ? "json" : "combined"),
    metrics: metricsAt(readPort(values["metrics-port"], "--metrics-port"), written.metrics),
  };
  const given = values["data-dir"] === undefined ? written.storage.folder : undefined;
  return {
    settings,
    folder: given ?? join(dataDir(values, context), "registry"),
    sources: [config, access?.file].filter((file) => file !== undefined),
  };
}

async function readAccess(
  { access: file, htpasswd }: ServeValues,
  written: AccessSettings | undefined,
  fileOf: (name: string) => string,
): Promise<AccessSettings | undefined> {
  const access = file === undefined ? written : await readAccessFile(fileOf(file));
  if (htpasswd === undefined) return access;
  return {
    folder: access?.folder ?? fileOf("."),
    file: access?.file,
    config: { ...access?.config, htpasswd: fileOf(htpasswd) },
  };
}

function readTls(
  values: ServeValues,
  written: TlsFiles | undefined,
  fileOf: (name: string) => string,
): TlsFiles | undefined {
  const { "tls-cert": cert, "tls-key": key, "tls-client-ca": ca } = values;
  if ((cert === undefined) !== (key === undefined)) {
    throw new UsageError("Options --tls-cert and --tls-key go together", "registry");
  }
  const clientCa = ca === undefined ? written?.clientCa : fileOf(ca);
  if (cert !== undefined && key !== undefined) {
    return { certificate: fileOf(cert), key: fileOf(key), clientCa };
  }
  if (written !== undefined) return { ...written, clientCa };
  if (ca !== undefined) {
    throw new UsageError("Option --tls-client-ca needs --tls-cert and --tls-key beside it", "registry");
  }
  return undefined;
}

function logTo(format: "json" | "combined"): RegistrySettings["log"] {
  return { format, file: undefined, maxSize: 0, keep: 0 };
}

function metricsAt(
  port: number | undefined,
  written: RegistrySettings["metrics"],
): RegistrySettings["metrics"] {
  if (port === undefined) return written;
  return { address: written?.address ?? "127.0.0.1", path: written?.path ?? "/metrics", port };
}
