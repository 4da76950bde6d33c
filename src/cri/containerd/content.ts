import { Code } from "@connectrpc/connect";

import type {
  ContentSource,
  ContentStream,
  Descriptor,
  OpenOptions,
  SignalOptions,
} from "../../oci/index.ts";
import { OciError } from "../../oci/index.ts";
import type { Info } from "../generated/containerd/content_v1_pb.ts";
import type { ContainerdConnection } from "./connection.ts";
import { attempt, containerdError, isCode, unlessMissing } from "./failures.ts";
import type { Labels } from "./labels.ts";

/** What containerd's content store has. */
export class ContainerdContent implements ContentSource {
  readonly #connection: ContainerdConnection;

  constructor(connection: ContainerdConnection) {
    this.#connection = connection;
  }

  async info(digest: string, options: SignalOptions = {}): Promise<Info | undefined> {
    const { content, call } = this.#connection;
    const answer = await attempt(
      `look for content ${JSON.stringify(digest)}`,
      unlessMissing(content.info({ digest }, call(options))),
    );
    return answer?.info;
  }

  /** @throws OciError `BLOB_UNKNOWN`, CriError */
  async open(descriptor: Descriptor, { offset = 0, signal }: OpenOptions = {}): Promise<ContentStream> {
    const { digest } = descriptor;
    const action = `read content ${JSON.stringify(digest)}`;
    if ((await this.info(digest, { signal })) === undefined) {
      throw new OciError("BLOB_UNKNOWN", `Cannot ${action}: it is not in containerd's store`);
    }
    const stop = new AbortController();
    const stopping = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
    const { content, call } = this.#connection;
    return {
      pump: async (consume) => {
        const request = { digest, offset: BigInt(offset) };
        try {
          for await (const { data } of content.read(request, call({ signal: stopping }))) await consume(data);
        } catch (error) {
          signal?.throwIfAborted();
          if (isCode(error, Code.NotFound)) {
            throw new OciError("BLOB_UNKNOWN", `Cannot ${action}: it went away`, { cause: error });
          }
          throw containerdError(action, error);
        }
      },
      close: async () => stop.abort(),
    };
  }

  /** Adds labels, or changes them; false when the content isn't there. */
  async label(digest: string, labels: Labels, options: SignalOptions = {}): Promise<boolean> {
    const { content, call } = this.#connection;
    const paths = Object.keys(labels).map((key) => `labels.${key}`);
    if (paths.length === 0) return true;
    const request = { info: { digest, labels: { ...labels } }, updateMask: { paths } };
    const answer = await attempt(
      `label content ${JSON.stringify(digest)}`,
      unlessMissing(content.update(request, call(options))),
    );
    return answer !== undefined;
  }
}
