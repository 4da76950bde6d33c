import { connect } from "node:net";

import type { Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";

/** What kubelets and containerd take in one message. */
const MAX_MESSAGE = 16 * 1024 * 1024;

export interface UnixTransport extends Disposable {
  readonly transport: Transport;
  /** The socket's path, without `unix://`. */
  readonly path: string;
}

/** gRPC over a unix socket. Connects when the first call is made, and again when the other side was restarted. */
export function openUnixTransport(address: string): UnixTransport {
  const path = address.replace(/^unix:\/\//, "");
  const sockets = new Set<{ destroy(): void }>();
  const transport = createGrpcTransport({
    // As gRPC's own clients of unix sockets say it.
    baseUrl: "http://localhost",
    readMaxBytes: MAX_MESSAGE,
    // An idle connection to a local socket costs nobody anything; asking whether it lives would.
    idleConnectionTimeoutMs: 60_000,
    nodeOptions: {
      createConnection: () => {
        const socket = connect(path);
        sockets.add(socket);
        socket.once("close", () => sockets.delete(socket));
        return socket;
      },
    },
  });
  return {
    transport,
    path,
    [Symbol.dispose]: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}
