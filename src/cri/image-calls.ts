/** The calls of CRI's ImageService, between its messages and an {@link ImageBackend}. */
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";

import type { CriAuthConfig } from "../credentials/index.ts";
import { goQuote } from "../internal/go/quote.ts";
import type { ImageService, PullImageRequest } from "./generated/runtime/v1_pb.ts";
import type { CriImage, ImageBackend, PullRequest } from "./image-backend.ts";
import type { RunningPulls } from "./running-pulls.ts";
import { guardAgainstStalls } from "./stall-guard.ts";

export interface ImageCallsOptions {
  readonly backend: ImageBackend;
  readonly pulls: RunningPulls;
  /** Milliseconds without a byte after which a pull is given up; 0 for never. */
  readonly progressTimeout: number;
  /** Milliseconds after which a pull is given up however it goes; 0 for never. */
  readonly pullDeadline: number;
  /**
   * `ignore`, the default, lists all images whatever a filter says, as containerd does; `honour` lists the image that
   * the filter names.
   */
  readonly listFilter: "ignore" | "honour";
}

/** Images in one message of a stream: far below what clients take. */
const BATCH = 5000;

export function imageCalls(options: ImageCallsOptions): ServiceImpl<typeof ImageService> {
  const { backend, pulls, progressTimeout, pullDeadline, listFilter } = options;
  const list = async (filter: string, signal: AbortSignal): Promise<ImageInit[]> => {
    if (filter === "" || listFilter === "ignore") return (await backend.list({ signal })).map(toMessage);
    const found = await backend.find(filter, { signal });
    return found === undefined ? [] : [toMessage(found)];
  };
  return {
    async listImages({ filter }, { signal }) {
      return { images: await list(filter?.image?.image ?? "", signal) };
    },

    async *streamImages({ filter }, { signal }) {
      const images = await list(filter?.image?.image ?? "", signal);
      for (let start = 0; start < images.length; start += BATCH) {
        yield { images: images.slice(start, start + BATCH) };
      }
    },

    async imageStatus({ image, verbose }, { signal }) {
      const found = await backend.find(image?.image ?? "", { signal });
      if (found === undefined) return {};
      const info = verbose ? await backend.describe(found.id, { signal }) : undefined;
      return { image: toMessage(found), ...(info !== undefined && { info: { info } }) };
    },

    async pullImage(message, { signal }: HandlerContext) {
      const request = toPullRequest(message);
      const { image, pod } = request;
      const pull = pulls.begin({ image, podUid: pod?.uid ?? "" });
      try {
        const imageRef = await guardAgainstStalls(
          (guarded, moved) =>
            backend.pull(request, {
              signal: guarded,
              onProgress: (progress) => {
                moved(progress.bytes + (progress.unpacked ?? 0));
                pull.progress(progress);
              },
            }),
          { timeout: progressTimeout, deadline: pullDeadline, action: `pull ${goQuote(image)}`, signal },
        );
        pull.end("done");
        return { imageRef };
      } catch (error) {
        pull.end(signal.aborted ? "cancelled" : "failed");
        throw error;
      }
    },

    async removeImage({ image }, { signal }) {
      await backend.remove(image?.image ?? "", { signal });
      return {};
    },

    async imageFsInfo(_, { signal }) {
      const usages = await backend.fileSystems({ signal });
      return {
        imageFilesystems: usages.map(({ measuredAt, mountpoint, usedBytes, inodesUsed }) => ({
          timestamp: BigInt(measuredAt) * 1_000_000n,
          fsId: { mountpoint },
          usedBytes: { value: BigInt(usedBytes) },
          inodesUsed: { value: BigInt(inodesUsed) },
        })),
      };
    },
  };
}

interface ImageInit {
  readonly id: string;
  repoTags: string[];
  repoDigests: string[];
  readonly size: bigint;
  readonly uid?: { readonly value: bigint };
  readonly username: string;
  readonly pinned: boolean;
}

function toMessage({ id, repoTags, repoDigests, size, uid, username, pinned }: CriImage): ImageInit {
  return {
    id,
    repoTags: [...repoTags],
    repoDigests: [...repoDigests],
    size: BigInt(size),
    ...(uid !== undefined && { uid: { value: uid } }),
    username,
    pinned,
  };
}

function toPullRequest({ image, auth, sandboxConfig }: PullImageRequest): PullRequest {
  const metadata = sandboxConfig?.metadata;
  return {
    image: image?.image ?? "",
    auth: auth && toAuth(auth),
    annotations: image?.annotations ?? {},
    runtimeHandler: image?.runtimeHandler ?? "",
    pod: metadata && { name: metadata.name, namespace: metadata.namespace, uid: metadata.uid },
  };
}

function toAuth(auth: NonNullable<PullImageRequest["auth"]>): CriAuthConfig {
  const { username, password, serverAddress, identityToken, registryToken } = auth;
  return { username, password, auth: auth.auth, serverAddress, identityToken, registryToken };
}
