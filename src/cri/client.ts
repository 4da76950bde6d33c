import { type Client, createClient } from "@connectrpc/connect";

import { Pulls } from "./generated/dray/cri_v1_pb.ts";
import { ImageService, RuntimeService } from "./generated/runtime/v1_pb.ts";
import { openUnixTransport } from "./unix-transport.ts";

/** Clients of a CRI endpoint, over one connection. */
export interface CriClient extends Disposable {
  readonly images: Client<typeof ImageService>;
  readonly runtime: Client<typeof RuntimeService>;
  /** Known to dray's own endpoints alone. */
  readonly pulls: Client<typeof Pulls>;
}

/** Connects when the first call is made. `path` is a unix socket's, or `unix://` and that. */
export function openCriClient(path: string): CriClient {
  const opened = openUnixTransport(path);
  const { transport } = opened;
  return {
    images: createClient(ImageService, transport),
    runtime: createClient(RuntimeService, transport),
    pulls: createClient(Pulls, transport),
    [Symbol.dispose]: () => opened[Symbol.dispose](),
  };
}
