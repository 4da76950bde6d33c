import { type CallOptions, type Client, createClient } from "@connectrpc/connect";

import type { SignalOptions } from "../../oci/index.ts";
import { Content } from "../generated/containerd/content_v1_pb.ts";
import { Diff } from "../generated/containerd/diff_v1_pb.ts";
import { Images } from "../generated/containerd/images_v1_pb.ts";
import { Introspection } from "../generated/containerd/introspection_v1_pb.ts";
import { Leases } from "../generated/containerd/leases_v1_pb.ts";
import { Namespaces } from "../generated/containerd/namespaces_v1_pb.ts";
import { Snapshots } from "../generated/containerd/snapshots_v1_pb.ts";
import { Version } from "../generated/containerd/version_v1_pb.ts";
import { ImageService } from "../generated/runtime/v1_pb.ts";
import { openUnixTransport } from "../unix-transport.ts";
import { type RawCall, RawConnection } from "./raw-call.ts";

export interface LeasedOptions extends SignalOptions {
  /** What keeps whatever the call makes from being collected. */
  readonly lease?: string | undefined;
}

/** containerd's own services, over one connection and for one of its namespaces. */
export interface ContainerdConnection extends Disposable {
  readonly address: string;
  readonly namespace: string;
  readonly content: Client<typeof Content>;
  readonly diff: Client<typeof Diff>;
  readonly images: Client<typeof Images>;
  readonly introspection: Client<typeof Introspection>;
  readonly leases: Client<typeof Leases>;
  readonly namespaces: Client<typeof Namespaces>;
  readonly snapshots: Client<typeof Snapshots>;
  readonly version: Client<typeof Version>;
  /** Its CRI plugin, where that is on. */
  readonly cri: Client<typeof ImageService>;
  /** For a call in the namespace. */
  readonly call: (options?: LeasedOptions) => CallOptions;
  /** The same, with messages that the caller makes. */
  readonly rawCall: (method: string, options?: LeasedOptions) => RawCall;
}

/** Connects when the first call is made, and again when containerd was restarted. */
export function openContainerd(address: string, namespace: string): ContainerdConnection {
  const opened = openUnixTransport(address);
  const { transport } = opened;
  const raw = new RawConnection(opened.path);
  const headers = (lease: string | undefined): Record<string, string> => ({
    "containerd-namespace": namespace,
    ...(lease !== undefined && { "containerd-lease": lease }),
  });
  return {
    address,
    namespace,
    content: createClient(Content, transport),
    diff: createClient(Diff, transport),
    images: createClient(Images, transport),
    introspection: createClient(Introspection, transport),
    leases: createClient(Leases, transport),
    namespaces: createClient(Namespaces, transport),
    snapshots: createClient(Snapshots, transport),
    version: createClient(Version, transport),
    cri: createClient(ImageService, transport),
    call: ({ lease, signal } = {}) => ({
      headers: headers(lease),
      ...(signal !== undefined && { signal }),
    }),
    rawCall: (method, { lease, signal } = {}) => raw.call(method, headers(lease), { signal }),
    [Symbol.dispose]: () => {
      raw[Symbol.dispose]();
      opened[Symbol.dispose]();
    },
  };
}
