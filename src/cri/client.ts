import { connect } from "node:net";

import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";

import { Pulls } from "./generated/dray/cri_v1_pb.ts";
import { ImageService, RuntimeService } from "./generated/runtime/v1_pb.ts";

/** Clients of a CRI endpoint, over one connection. */
export interface CriClient extends Disposable {
  readonly images: Client<typeof ImageService>;
  readonly runtime: Client<typeof RuntimeService>;
  /** Known to dray's own endpoints alone. */
  readonly pulls: Client<typeof Pulls>;
}

/** What kubelets take in one message. */
const MAX_MESSAGE = 16 * 1024 * 1024;

/** Connects when the first call is made. `path` is a unix socket's, or `unix://` and that. */
export function openCriClient(path: string): CriClient {
  const socketPath = path.replace(/^unix:\/\//, "");
  const sockets = new Set<{ destroy(): void }>();
  const transport = createGrpcTransport({
    baseUrl: "http://localhost",
    readMaxBytes: MAX_MESSAGE,
    // An idle connection to a local socket costs nobody anything; asking whether it lives would.
    idleConnectionTimeoutMs: 60_000,
    nodeOptions: {
      createConnection: () => {
        const socket = connect(socketPath);
        sockets.add(socket);
        socket.once("close", () => sockets.delete(socket));
        return socket;
      },
    },
  });
  return {
    images: createClient(ImageService, transport),
    runtime: createClient(RuntimeService, transport),
    pulls: createClient(Pulls, transport),
    [Symbol.dispose]: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}
