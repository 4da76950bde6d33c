/** Which CRI socket is meant. */
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";

import type { CommandContext } from "../context.ts";
import { CliError, UsageError } from "../errors.ts";
import { dataDir } from "../settings.ts";

export interface EndpointValues {
  readonly socket?: string;
  readonly "image-service-endpoint"?: string;
  readonly "data-dir"?: string;
}

/** Where runtimes listen by default, beside dray's own place; the order is crictl's. */
export const USUAL_SOCKETS: readonly string[] = [
  "/run/containerd/containerd.sock",
  "/run/crio/crio.sock",
  "/var/run/cri-dockerd.sock",
];

const VARIABLES = ["IMAGE_SERVICE_ENDPOINT", "CONTAINER_RUNTIME_ENDPOINT"] as const;

/** The socket that is named, by option or as crictl takes it from the environment; `undefined` where none is. */
export function namedEndpoint(values: EndpointValues, { env, cwd }: CommandContext): string | undefined {
  const { socket, "image-service-endpoint": endpoint } = values;
  if (socket !== undefined && endpoint !== undefined) {
    throw new UsageError("Options --socket and --image-service-endpoint say the same; give one of them");
  }
  const [variable] = VARIABLES.filter((name) => (env[name] ?? "") !== "");
  const given = socket ?? endpoint ?? (variable === undefined ? undefined : env[variable]);
  if (given === undefined) return undefined;
  const path = given.replace(/^unix:(?:\/\/)?/, "");
  if (path === "" || /^[a-z][a-z0-9+.-]*:/i.test(path)) {
    throw new UsageError(`Cannot use ${JSON.stringify(given)}: write unix:///run/containerd/containerd.sock`);
  }
  return resolve(cwd, path);
}

/** Every place to look at, the first one first. */
export function usualEndpoints(values: EndpointValues, context: CommandContext): readonly string[] {
  return [join(dataDir(values, context), "cri.sock"), ...USUAL_SOCKETS];
}

/** @throws CliError `ENDPOINT_UNKNOWN` when there is no socket in any of the usual places */
export async function chooseEndpoint(values: EndpointValues, context: CommandContext): Promise<string> {
  const named = namedEndpoint(values, context);
  if (named !== undefined) return named;
  const places = usualEndpoints(values, context);
  for (const place of places) {
    if (await isSocket(place)) return place;
  }
  throw new CliError(
    "ENDPOINT_UNKNOWN",
    `Cannot find a CRI socket: there is none at ${places.join(", ")}; name one with --socket`,
  );
}

export async function isSocket(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isSocket();
  } catch {
    return false;
  }
}
