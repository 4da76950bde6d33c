/** Where the service is found. */
export const SOCKET_OPTIONS = {
  socket: {
    type: "string",
    value: "PATH",
    summary: "The unix socket; cri.sock in the data directory by default",
  },
} as const;

/** How it serves. */
export const CRI_OPTIONS = {
  containerd: {
    type: "string",
    value: "SOCKET",
    summary:
      "Serve the images of this containerd, for which pulls are unpacked, instead of a store of dray's",
  },
  snapshotter: {
    type: "string",
    value: "NAME",
    summary: "containerd's snapshotter to unpack with; overlayfs by default, as in its CRI plugin",
  },
  "socket-owner": {
    type: "string",
    value: "USER[:GROUP]",
    summary: "Give the socket to this user, by name or number; with a group, its members may use it, too",
  },
  pinned: {
    type: "string",
    value: "IMAGE",
    multiple: true,
    summary: "Tell the kubelet that this image is never to be collected",
  },
  "node-credentials": {
    type: "boolean",
    summary: "Where a pull comes without a credential, try the node's own: its files, then exec providers",
  },
  "credential-forms": {
    type: "string",
    value: "FORMS",
    choices: ["containerd", "all"],
    summary:
      "all: also take registry tokens, and server addresses without a scheme, which containerd ignores",
  },
  "list-filter": {
    type: "string",
    value: "WHAT",
    choices: ["ignore", "honour"],
    summary:
      "honour: list the one image that a filter names; containerd ignores filters, and so does the default",
  },
  "pull-progress-timeout": {
    type: "string",
    value: "DURATION",
    summary: "Give a pull up when no byte comes for so long; 5m by default, 0 for never",
  },
  "pull-deadline": {
    type: "string",
    value: "DURATION",
    summary: "Give a pull up after so long, however it goes; never by default",
  },
  "cgroup-driver": {
    type: "string",
    value: "DRIVER",
    choices: ["systemd", "cgroupfs"],
    summary: "What RuntimeConfig answers; systemd where systemd runs this machine",
  },
  jobs: {
    type: "string",
    short: "j",
    value: "NUMBER",
    summary: "Contents of one image under way at a time; 3 by default",
  },
  "metrics-port": {
    type: "string",
    value: "PORT",
    summary:
      "Serve /metrics for Prometheus, and /progress of every pull as JSON lines, on 127.0.0.1; 0 for any",
  },
} as const;
