/** Pins of containerd's CRI plugin, which CRI itself can show and not set: a label on the image, in its own service. */
import { openContainerd } from "./containerd/connection.ts";
import { attempt, unlessMissing } from "./containerd/failures.ts";
import { PINNED } from "./containerd/labels.ts";
import type { SignalOptions } from "../oci/index.ts";

/** Where the CRI plugin keeps its images. */
const NAMESPACE = "k8s.io";

export class ContainerdPins implements Disposable {
  readonly #connection: ReturnType<typeof openContainerd>;

  /** @param address containerd's socket; connects when the first call is made */
  constructor(address: string) {
    this.#connection = openContainerd(address, NAMESPACE);
  }

  /** Names of pinned images, sorted. */
  async list(options: SignalOptions = {}): Promise<readonly string[]> {
    const { images } = await attempt(
      "list pins",
      this.#connection.images.list(
        { filters: [`labels.${JSON.stringify(PINNED.key)}==${PINNED.value}`] },
        this.#connection.call(options),
      ),
    );
    return images.map(({ name }) => name).toSorted();
  }

  /** Whether the pin changed; `undefined` when containerd has no image of that name. */
  async set(name: string, pinned: boolean, options: SignalOptions = {}): Promise<boolean | undefined> {
    const { images } = this.#connection;
    const call = this.#connection.call(options);
    const action = `${pinned ? "pin" : "unpin"} ${JSON.stringify(name)}`;
    const found = await attempt(action, unlessMissing(images.get({ name }, call)));
    if (found?.image === undefined) return undefined;
    if ((found.image.labels[PINNED.key] === PINNED.value) === pinned) return false;
    // An empty value takes a label away. The mask keeps all others, whoever sets them meanwhile.
    const labels = { [PINNED.key]: pinned ? PINNED.value : "" };
    const updateMask = { paths: [`labels.${PINNED.key}`] };
    await attempt(action, images.update({ image: { ...found.image, labels }, updateMask }, call));
    return true;
  }

  [Symbol.dispose](): void {
    this.#connection[Symbol.dispose]();
  }
}
