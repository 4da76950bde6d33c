import { type CriClient, EndpointImages, openCriClient } from "../../cri/index.ts";
import type { CommandContext } from "../context.ts";
import { describeError } from "../report-error.ts";
import type { Findings } from "./finding.ts";
import { findObstacle, isOpen, lookAt, octal } from "./look.ts";

const AREA = "sockets";
/** Milliseconds that an answer over a local socket may take. */
const PATIENCE = 5000;

/** What is known of a runtime, for other checks. */
export interface KnownEndpoint {
  readonly socket: string;
  readonly runtime: string;
  readonly mountpoints: readonly string[];
  /** The folders of containerd's `config_path`; undefined where the runtime doesn't tell. */
  readonly hostsDirs: readonly string[] | undefined;
}

/** @param named those that must answer; without any, one of the usual ones has to be there */
export async function checkEndpoints(
  findings: Findings,
  { named, usual }: { readonly named: readonly string[]; readonly usual: readonly string[] },
  context: CommandContext,
): Promise<readonly KnownEndpoint[]> {
  const known: KnownEndpoint[] = [];
  let isThere = false;
  for (const socket of named.length > 0 ? named : usual) {
    const look = await lookAt(socket);
    if (look.state === "missing") {
      if (named.length > 0) {
        const mend = "Start the runtime, or correct containerRuntimeEndpoint and imageServiceEndpoint";
        findings.add("CRI_SOCKET_MISSING", { where: socket, what: "There is no such file", mend });
      }
      continue;
    }
    isThere = true;
    if (look.state === "hidden") {
      findings.missed(AREA, `${socket}: ${look.why}`);
    } else if (!look.stats.isSocket()) {
      const what = `It is a ${look.stats.isDirectory() ? "directory" : "file"}, no socket`;
      findings.add("CRI_SOCKET_INVALID", { where: socket, what, mend: "Remove it and restart the runtime" });
    } else {
      if (isOpen(look.stats)) {
        const mend = `chmod o-rwx ${socket}`;
        findings.add("CRI_SOCKET_OPEN", { where: socket, what: `Its mode is ${octal(look.stats)}`, mend });
      }
      if ((await findObstacle(socket, "write")) !== undefined) {
        findings.missed(AREA, `${socket}: you may not use it; ask as root`);
        continue;
      }
      const one = await askEndpoint(findings, socket, context);
      if (one !== undefined) known.push(one);
    }
  }
  if (!isThere && named.length === 0 && usual.length > 0) {
    const mend = "Start the runtime, or name its socket with --socket";
    findings.add("CRI_SOCKET_NONE", { where: usual.join(", "), what: "None of them is there", mend });
  }
  return known;
}

async function askEndpoint(
  findings: Findings,
  socket: string,
  { signal: ending }: CommandContext,
): Promise<KnownEndpoint | undefined> {
  using client = openCriClient(socket);
  const images = new EndpointImages(client);
  const signal = AbortSignal.any([ending, AbortSignal.timeout(PATIENCE)]);
  const ask = async <T>(call: () => Promise<T>): Promise<T | string> => {
    try {
      return await call();
    } catch (error) {
      ending.throwIfAborted();
      return signal.aborted ? `no answer within ${PATIENCE / 1000}s` : describeError(error).message;
    }
  };
  const version = await ask(() => images.version({ signal }));
  if (typeof version === "string") {
    const mend = "Look at the runtime's log; restart it";
    findings.add("CRI_UNANSWERED", { where: socket, what: version, mend });
    return undefined;
  }
  const runtime = version.name;
  if (version.apiVersion !== "v1") {
    const what = `${runtime} ${version.version} speaks ${version.apiVersion}, and a kubelet wants v1`;
    findings.add("CRI_VERSION", { where: socket, what, mend: "Install a newer runtime" });
  }
  const fileSystems = await ask(() => images.fileSystems({ signal }));
  const listed = await ask(() => images.list({ signal }));
  if (typeof listed === "string") {
    const mend = "Name another imageServiceEndpoint, or turn the runtime's CRI plugin on";
    findings.add("CRI_NO_IMAGES", { where: socket, what: listed, mend });
  } else {
    const pinned = listed.filter((image) => image.pinned).length;
    findings.saw(AREA, `${socket}: ${runtime} ${version.version}, ${listed.length} images, ${pinned} pinned`);
  }
  await checkReadiness(findings, { client, socket, signal });
  const info = await ask(() => images.info({ signal }));
  return {
    socket,
    runtime,
    mountpoints: typeof fileSystems === "string" ? [] : fileSystems.map(({ mountpoint }) => mountpoint),
    hostsDirs: typeof info === "string" ? undefined : readConfigPath(info["config"] ?? ""),
  };
}

async function checkReadiness(
  findings: Findings,
  {
    client,
    socket,
    signal,
  }: { readonly client: CriClient; readonly socket: string; readonly signal: AbortSignal },
): Promise<void> {
  let conditions: readonly { readonly type: string; readonly status: boolean; readonly message: string }[];
  try {
    conditions = (await client.runtime.status({}, { signal })).status?.conditions ?? [];
  } catch {
    // An endpoint for images alone needn't have one.
    return;
  }
  for (const { type, status, message } of conditions) {
    if (status) continue;
    const what = `${type} is false${message === "" ? "" : `: ${message}`}`;
    const mend =
      type === "NetworkReady" ? "Install a CNI plugin and its configuration" : "Look at the runtime's log";
    findings.add("CRI_NOT_READY", { where: socket, what, mend });
  }
}

/** containerd before 2.0 tells this among its configuration; others don't. */
function readConfigPath(text: string): readonly string[] | undefined {
  try {
    const { registry } = JSON.parse(text) as { readonly registry?: { readonly configPath?: unknown } };
    const path = registry?.configPath;
    return typeof path === "string" ? path.split(":").filter((one) => one !== "") : undefined;
  } catch {
    return undefined;
  }
}
