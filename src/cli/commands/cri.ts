import { join } from "node:path";

import { InvalidReferenceError, parseDockerRef } from "../../reference/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { readContainerd } from "../cri/containerd.ts";
import { CRI_OPTIONS, SOCKET_OPTIONS } from "../cri/options.ts";
import { runCri } from "../cri/run-cri.ts";
import { readSocketOwner } from "../cri/socket-owner.ts";
import { UsageError } from "../errors.ts";
import { dataDir, readCount, readDuration, readPort, readSocket, readSplit } from "../settings.ts";
import { FETCH_OPTIONS, REGISTRY_OPTIONS, STORE_OPTIONS } from "../shared-options.ts";
import { printable } from "../terminal/width.ts";
import { NODE_CREDENTIAL_OPTIONS, nodeCredentialOptions } from "../up/node-credential-options.ts";

const {
  username: _username,
  "password-stdin": _stdin,
  authfile: _authfile,
  ...CONNECTION_OPTIONS
} = REGISTRY_OPTIONS;

export const cri: Command = defineCommand({
  name: "cri",
  summary: "Serve this machine's images to a kubelet and to crictl, over the CRI",
  details: [
    "The image service of CRI v1 on a unix socket, out of the node's store: a kubelet is pointed at it with imageServiceEndpoint, crictl with --image-endpoint. Images, names, sizes and codes are as containerd answers them. The few calls that clients make to the runtime are answered, too; it runs no containers.",
    "Equal pulls at the same time are one, and a layer is fetched once however many images want it. A pull whose last caller has gone is cancelled; what it brought stays, and the next one goes on there. So it is after a kill, too.",
    "With --containerd, images go into containerd's namespace k8s.io, unpacked, named and labelled as its own CRI plugin does it, so that its runtime service starts containers from them. A pull that was cut is kept there for ten minutes, and gone on with.",
    "Mirrors come from hosts.toml. The kubelet's credential is used where it hands one over; the node's own only with --node-credentials, which finds them where dray up finds them.",
    "The socket is its owner's alone. A socket that a killed service left behind is replaced; one on which somebody serves is left alone.",
    "Ends with Ctrl-C or SIGTERM, and lets calls under way finish for five seconds.",
  ],
  options: {
    ...SOCKET_OPTIONS,
    ...CRI_OPTIONS,
    ...FETCH_OPTIONS,
    ...NODE_CREDENTIAL_OPTIONS,
    ...STORE_OPTIONS,
    ...CONNECTION_OPTIONS,
  },
  arguments: [],
  examples: [
    { command: "dray cri --socket /run/dray/cri.sock", summary: "Serve the CRI" },
    {
      command: "crictl --image-endpoint unix:///run/dray/cri.sock pull busybox",
      summary: "Pull through it",
    },
    {
      command: "dray cri --hosts-dir /etc/containerd/certs.d --pinned registry.k8s.io/pause:3.10",
      summary: "With containerd's mirrors, and the sandbox image pinned",
    },
    {
      command:
        "dray cri --containerd /run/containerd/containerd.sock --hosts-dir /etc/containerd/certs.d --socket /run/dray/cri.sock",
      summary: "Pull for containerd",
    },
  ],
  async run({ values }, context) {
    const { stdout, stderr, cwd } = context;
    // Told before anything is made.
    readSplit(values);
    const folder = dataDir(values, context);
    const socket = readSocket(values.socket, "--socket", cwd) ?? join(folder, "cri.sock");
    const owner = values["socket-owner"];
    await runCri(
      {
        socket,
        owner: owner === undefined ? undefined : await readSocketOwner(owner),
        dataDir: folder,
        containerd: readContainerd(values, cwd),
        pinned: (values.pinned ?? []).map(readPinned),
        nodeCredentials: values["node-credentials"] === true ? nodeCredentialOptions(values) : undefined,
        // The choices of the options are exactly these.
        credentialForms: values["credential-forms"] as "containerd" | "all" | undefined,
        listFilter: values["list-filter"] as "ignore" | "honour" | undefined,
        cgroupDriver: values["cgroup-driver"] as "systemd" | "cgroupfs" | undefined,
        progressTimeout: readDuration(values["pull-progress-timeout"], "--pull-progress-timeout"),
        pullDeadline: readDuration(values["pull-deadline"], "--pull-deadline"),
        concurrency: readCount(values.jobs, "--jobs"),
        metricsPort: readPort(values["metrics-port"], "--metrics-port"),
        connection: values,
        onWarning: (message) => void stderr.write(`dray: ${printable(message)}\n`),
        onServing: async ({ metricsPort }) => {
          await stdout.write(
            values.json === true
              ? `${JSON.stringify({ event: "started", socket, metricsPort: metricsPort ?? null })}\n`
              : `Serving the CRI on ${printable(socket)}${metricsPort === undefined ? "" : `, metrics on 127.0.0.1:${metricsPort}`}\n`,
          );
        },
      },
      context,
    );
  },
});

/** A pin that can't be any image's would keep nothing, and nobody would notice before it is gone. */
function readPinned(text: string): string {
  try {
    parseDockerRef(text);
    return text;
  } catch (error) {
    if (!(error instanceof InvalidReferenceError)) throw error;
    throw new UsageError(`Option --pinned does not take ${JSON.stringify(text)}: it is no name of an image`);
  }
}
