import type { AuthConfig, TrackedCredential } from "../credentials/index.ts";
import { type Digest, isDigest } from "../oci/index.ts";
import type {
  ImageRuntime,
  PulledImage,
  RuntimeImage,
  RuntimePullOptions,
  SpecParts,
} from "./image-runtime.ts";
import type {
  ImageFileSystem,
  ImageService,
  ImageSpec,
  ServiceCallOptions,
  ServiceImage,
} from "./image-service.ts";
import { tryCredentials } from "./try-credentials.ts";

/** The kubelet's use of an image service: several credentials for one pull, ids for references. */
export class ServiceRuntime implements ImageRuntime {
  readonly #service: ImageService;

  constructor(service: ImageService) {
    this.#service = service;
  }

  async find(image: string, options: ServiceCallOptions & SpecParts = {}): Promise<RuntimeImage | undefined> {
    const status = await this.#service.status(specOf(image, options), options);
    if (status === undefined) return undefined;
    return { id: status.id, digest: digestOf(status), size: status.size };
  }

  async pull(image: string, options: RuntimePullOptions = {}): Promise<PulledImage> {
    const { signal, onProgress, credentials = [] } = options;
    const spec = specOf(image, options);
    const attempt = (credential: TrackedCredential | undefined): Promise<string> =>
      this.#service.pull(spec, { auth: credential && authOf(credential), signal, onProgress });
    const { value: id, credential } = await tryCredentials(credentials, { attempt, signal });
    const known = id === "" ? undefined : await this.#statusOrNothing(spec, { signal });
    return { id, digest: known && digestOf(known), size: known?.size ?? 0, credential };
  }

  async list(options: ServiceCallOptions = {}): Promise<readonly ServiceImage[]> {
    return await this.#service.list(options);
  }

  async remove(image: string, options: ServiceCallOptions = {}): Promise<void> {
    await this.#service.remove(image, options);
  }

  async fileSystem(options: ServiceCallOptions = {}): Promise<ImageFileSystem> {
    return await this.#service.fileSystem(options);
  }

  /** Bytes of one image, 0 when it isn't here. */
  async size(image: string, options: ServiceCallOptions & SpecParts = {}): Promise<number> {
    return (await this.find(image, options))?.size ?? 0;
  }

  /** Bytes of all images together; what two of them share counts twice. */
  async totalSize(options: ServiceCallOptions = {}): Promise<number> {
    return (await this.list(options)).reduce((total, { size }) => total + size, 0);
  }

  /** The size is told for information; a pull doesn't fail for it. */
  async #statusOrNothing(spec: ImageSpec, options: ServiceCallOptions): Promise<ServiceImage | undefined> {
    try {
      return await this.#service.status(spec, options);
    } catch {
      options.signal?.throwIfAborted();
      return undefined;
    }
  }
}

function specOf(image: string, { annotations = [], runtimeHandler = "" }: SpecParts): ImageSpec {
  return { image, annotations, runtimeHandler };
}

/** The e-mail stays here. */
function authOf({ username, password }: TrackedCredential): AuthConfig {
  return { username, password };
}

function digestOf({ repoDigests }: ServiceImage): Digest | undefined {
  const [first = ""] = repoDigests;
  const digest = first.slice(first.indexOf("@") + 1);
  return isDigest(digest) ? digest : undefined;
}
