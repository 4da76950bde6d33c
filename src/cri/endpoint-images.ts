/** The image service behind any CRI endpoint, as a kubelet's client sees it. */
import { statfs } from "node:fs/promises";

import { ConnectError } from "@connectrpc/connect";

import type { AuthConfig } from "../credentials/index.ts";
import {
  checkPulledRef,
  checkStatus,
  describeRpcError,
  fromCriSpec,
  ImagesError,
  type ImageFileSystem,
  type ImageService,
  type ImageSpec,
  type ServiceCallOptions,
  type ServiceImage,
  type ServicePullOptions,
  toCriSpec,
} from "../images/index.ts";
import type { CriClient } from "./client.ts";
import { CriError } from "./errors.ts";
import type { Image } from "./generated/runtime/v1_pb.ts";
import { codeName } from "./status-codes.ts";

/** How much of a file system the images of an endpoint take. */
export interface EndpointFileSystem {
  readonly mountpoint: string;
  readonly usedBytes: number;
}

/** What an endpoint says it is. */
export interface EndpointVersion {
  /** `containerd`, `cri-o`, `dray`. */
  readonly name: string;
  readonly version: string;
  /** The CRI's: `v1`. */
  readonly apiVersion: string;
}

export class EndpointImages implements ImageService {
  readonly #client: Pick<CriClient, "images" | "runtime">;

  constructor(client: Pick<CriClient, "images" | "runtime">) {
    this.#client = client;
  }

  /** @throws CriError `SERVICE_FAILED` where nobody answers, or nobody who speaks CRI v1 */
  async version(options: ServiceCallOptions = {}): Promise<EndpointVersion> {
    const { runtimeName, runtimeVersion, runtimeApiVersion } = await this.#asked(
      "say its version",
      options,
      () => this.#client.runtime.version({}, callOptions(options)),
    );
    return { name: runtimeName, version: runtimeVersion, apiVersion: runtimeApiVersion };
  }

  /** What a runtime tells of its configuration, as it tells it. */
  async info(options: ServiceCallOptions = {}): Promise<Readonly<Record<string, string>>> {
    const { info } = await this.#asked("tell its status", options, () =>
      this.#client.runtime.status({ verbose: true }, callOptions(options)),
    );
    return info;
  }

  async list(options: ServiceCallOptions = {}): Promise<readonly ServiceImage[]> {
    const { images } = await this.#asked("list images", options, () =>
      this.#client.images.listImages({}, callOptions(options)),
    );
    return images.map(toServiceImage);
  }

  async status(spec: ImageSpec, options: ServiceCallOptions = {}): Promise<ServiceImage | undefined> {
    const { image } = await this.#told(options, () =>
      this.#client.images.imageStatus({ image: toCriSpec(spec) }, callOptions(options)),
    );
    return checkStatus(spec.image, image && toServiceImage(image));
  }

  /** The layers of an image that is here, by the digests of what is in them; none where the runtime doesn't tell. */
  async layersOf(id: string, options: ServiceCallOptions = {}): Promise<readonly string[]> {
    const { info } = await this.#told(options, () =>
      this.#client.images.imageStatus({ image: { image: id }, verbose: true }, callOptions(options)),
    );
    return readDiffIds(info["info"] ?? "");
  }

  /** The error's message is the one that a kubelet would show. */
  async pull(spec: ImageSpec, options: ServicePullOptions = {}): Promise<string> {
    const { auth } = options;
    const { imageRef } = await this.#told(options, () =>
      this.#client.images.pullImage(
        { image: toCriSpec(spec), ...(auth !== undefined && { auth: toMessage(auth) }) },
        callOptions(options),
      ),
    );
    return checkPulledRef(spec.image, imageRef);
  }

  async remove(image: string, options: ServiceCallOptions = {}): Promise<void> {
    await this.#told(options, () =>
      this.#client.images.removeImage({ image: { image } }, callOptions(options)),
    );
  }

  /** Where images are kept, and how much they take. */
  async fileSystems(options: ServiceCallOptions = {}): Promise<readonly EndpointFileSystem[]> {
    const { imageFilesystems } = await this.#asked("tell its file systems", options, () =>
      this.#client.images.imageFsInfo({}, callOptions(options)),
    );
    return imageFilesystems.map(({ fsId, usedBytes }) => ({
      mountpoint: fsId?.mountpoint ?? "",
      usedBytes: Number(usedBytes?.value ?? 0n),
    }));
  }

  /** Of the first file system, where this process can see it: runtimes don't tell how large it is. */
  async fileSystem(options: ServiceCallOptions = {}): Promise<ImageFileSystem> {
    const [first] = await this.fileSystems(options);
    return first === undefined ? {} : await measureMountpoint(first.mountpoint);
  }

  /** A failure that isn't about an image. */
  async #asked<T>(action: string, { signal }: ServiceCallOptions, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (cause) {
      signal?.throwIfAborted();
      const why = cause instanceof ConnectError ? cause.rawMessage : String(cause);
      throw new CriError("SERVICE_FAILED", `The image service didn't ${action}: ${why}`, { cause });
    }
  }

  /** A failure that a Pod would be told. */
  async #told<T>({ signal }: ServiceCallOptions, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (cause) {
      signal?.throwIfAborted();
      if (!(cause instanceof ConnectError)) throw cause;
      const message = describeRpcError(codeName(cause.code), cause.rawMessage);
      throw new ImagesError("PULL_FAILED", message, { cause });
    }
  }
}

/** Space where a folder is; nothing where it can't be seen from here. */
export async function measureMountpoint(path: string): Promise<ImageFileSystem> {
  try {
    const { blocks, bavail, bsize } = await statfs(path);
    return { capacityBytes: blocks * bsize, availableBytes: bavail * bsize };
  } catch {
    return {};
  }
}

function callOptions({ signal }: ServiceCallOptions): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

function toMessage({ username, password, auth, serverAddress, identityToken, registryToken }: AuthConfig): {
  readonly [name: string]: string;
} {
  const parts = {
    username,
    password: password?.reveal(),
    auth: auth?.reveal(),
    serverAddress,
    identityToken: identityToken?.reveal(),
    registryToken: registryToken?.reveal(),
  };
  return Object.fromEntries(
    Object.entries(parts).filter((part): part is [string, string] => part[1] !== undefined),
  );
}

function toServiceImage({ id, repoTags, repoDigests, size, pinned, spec }: Image): ServiceImage {
  return { id, size: Number(size), repoTags, repoDigests, pinned, spec: fromCriSpec({ id, spec }) };
}

/** containerd, CRI-O and dray tell the image's config in the same place. */
function readDiffIds(text: string): readonly string[] {
  try {
    const { imageSpec } = JSON.parse(text) as {
      readonly imageSpec?: { readonly rootfs?: { readonly diff_ids?: unknown } };
    };
    const ids = imageSpec?.rootfs?.diff_ids;
    return Array.isArray(ids) ? ids.filter((id) => typeof id === "string") : [];
  } catch {
    return [];
  }
}
