/** Names of images in containerd, three for each pull: by tag, by digest, and by the image's id. */
import { Code } from "@connectrpc/connect";

import type { Descriptor, SignalOptions } from "../../oci/index.ts";
import { formatReference, type Reference } from "../../reference/index.ts";
import type { Image } from "../generated/containerd/images_v1_pb.ts";
import type { ContainerdConnection } from "./connection.ts";
import { attempt, containerdError, isCode, unlessMissing } from "./failures.ts";
import { type Labels, MANAGED, PINNED } from "./labels.ts";

export interface NamedTarget {
  readonly name: string;
  readonly target: Pick<Descriptor, "digest" | "mediaType" | "size">;
  readonly pinned: boolean;
  /** When it began to point there, in nanoseconds since the epoch. */
  readonly since: bigint;
}

export class ImageNames {
  readonly #connection: ContainerdConnection;

  constructor(connection: ContainerdConnection) {
    this.#connection = connection;
  }

  /** Those that containerd's CRI plugin knows, too. */
  async list(options: SignalOptions = {}): Promise<readonly NamedTarget[]> {
    const { images, call } = this.#connection;
    const filters = [`labels.${JSON.stringify(MANAGED.key)}==${MANAGED.value}`];
    const listed = await attempt("list containerd's images", images.list({ filters }, call(options)));
    return listed.images.flatMap(({ name, target, labels, updatedAt }) => {
      if (target === undefined) return [];
      const { seconds = 0n, nanos = 0 } = updatedAt ?? {};
      const { mediaType, digest, size } = target;
      const descriptor = { mediaType, digest: digest as Descriptor["digest"], size: Number(size) };
      const since = seconds * 1_000_000_000n + BigInt(nanos);
      return [{ name, target: descriptor, pinned: labels[PINNED.key] === PINNED.value, since }];
    });
  }

  /** Lets a name point at an image. Labels somebody else gave it stay. */
  async put(
    name: string,
    target: Descriptor,
    { pinned, signal }: SignalOptions & { readonly pinned: boolean },
  ): Promise<void> {
    const { images, call } = this.#connection;
    const labels: Labels = {
      [MANAGED.key]: MANAGED.value,
      ...(pinned && { [PINNED.key]: PINNED.value }),
    };
    const { mediaType, digest, size } = target;
    const image = {
      name,
      labels: { ...labels },
      target: { mediaType, digest, size: BigInt(size), annotations: {} },
    };
    const action = `name an image ${JSON.stringify(name)}`;
    const paths = ["target", ...Object.keys(labels).map((key) => `labels.${key}`)];
    for (;;) {
      try {
        const known = await unlessMissing(images.get({ name }, call({ signal })));
        if (known?.image === undefined) await images.create({ image }, call({ signal }));
        else if (!isSame(known.image, target, labels)) {
          await images.update({ image, updateMask: { paths } }, call({ signal }));
        }
        return;
      } catch (error) {
        // Somebody made or removed it meanwhile.
        if (!isCode(error, Code.AlreadyExists, Code.NotFound)) throw containerdError(action, error);
      }
    }
  }

  /** `sync` has everything freed that it held alone before this resolves. */
  async delete(name: string, options: SignalOptions & { readonly sync: boolean }): Promise<void> {
    const { images, call } = this.#connection;
    await attempt(
      `remove the name ${JSON.stringify(name)}`,
      unlessMissing(images.delete({ name, sync: options.sync }, call(options))),
    );
  }
}

/** The names a pulled image gets: the tag only where that decided what was pulled. */
export function namesOf(reference: Reference, digest: string, id: string): readonly string[] {
  const { domain, path } = reference;
  const byDigest = `${domain}/${path}@${digest}`;
  const name = formatReference(reference);
  return [...new Set(reference.digest === undefined ? [name, byDigest, id] : [name, id])];
}

function isSame(image: Image, target: Descriptor, labels: Labels): boolean {
  return (
    image.target?.digest === target.digest &&
    image.target.mediaType === target.mediaType &&
    Object.entries(labels).every(([key, value]) => image.labels[key] === value)
  );
}
