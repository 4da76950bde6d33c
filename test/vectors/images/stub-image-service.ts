import type { AuthConfig } from "../../../src/credentials/index.ts";
import type { ImageService, ImageSpec, ServiceImage, ServicePullOptions } from "../../../src/images/index.ts";

/** What a case says of the service. */
export interface ServiceState {
  readonly images?: readonly string[];
  readonly pinned?: readonly string[];
  readonly size?: number;
  /** By CRI's names of the calls. */
  readonly errors?: Readonly<Record<string, string>>;
  /** One for each pull; null for one that succeeds. */
  readonly pullErrorsInOrder?: readonly (string | null)[];
}

/** An image service in memory: an image's id is the name it was pulled by. */
export class StubImageService implements ImageService {
  readonly images: Map<string, ServiceImage> = new Map();
  /** What each pull was given. */
  readonly auths: (AuthConfig | undefined)[] = [];
  /** Called before every status. */
  onStatus: () => void = () => {};
  readonly #state: ServiceState;
  readonly #pullErrors: (string | null)[];

  constructor(state: ServiceState = {}) {
    this.#state = state;
    this.#pullErrors = [...(state.pullErrorsInOrder ?? [])];
    for (const id of state.images ?? []) this.#put({ image: id, annotations: [], runtimeHandler: "" });
  }

  async list(): Promise<readonly ServiceImage[]> {
    this.#fail("ListImages");
    return [...this.images.values()];
  }

  async status(spec: ImageSpec): Promise<ServiceImage | undefined> {
    this.onStatus();
    this.#fail("ImageStatus");
    return this.images.get(spec.image);
  }

  async pull(spec: ImageSpec, options: ServicePullOptions = {}): Promise<string> {
    this.auths.push(options.auth);
    this.#fail("PullImage");
    const error = this.#pullErrors.shift();
    if (typeof error === "string") throw new Error(error);
    this.#put(spec);
    return spec.image;
  }

  async remove(image: string): Promise<void> {
    this.#fail("RemoveImage");
    this.images.delete(image);
  }

  async fileSystem(): Promise<Record<string, never>> {
    this.#fail("ImageFsInfo");
    return {};
  }

  #put(spec: ImageSpec): void {
    const { size = 0, pinned = [] } = this.#state;
    const id = spec.image;
    this.images.set(id, { id, size, repoTags: [id], repoDigests: [], spec, pinned: pinned.includes(id) });
  }

  #fail(call: string): void {
    const message = this.#state.errors?.[call];
    if (message !== undefined) throw new Error(message);
  }
}

/** What of an auth reached the service, in the clear. */
export function plainAuth(auth: AuthConfig | undefined): Record<string, string> | null {
  if (auth === undefined) return null;
  const { username = "", password } = auth;
  const others = Object.entries(auth).filter(
    ([name, value]) => !["username", "password"].includes(name) && value !== undefined,
  );
  return { username, password: password?.reveal() ?? "", ...Object.fromEntries(others) };
}
