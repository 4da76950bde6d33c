import type { ImageFacts } from "../images/index.ts";

/**
 * An image's size as containerd tells it: all documents on the way to it, its config and its layers, as they were
 * fetched. A layer counts as often as the manifest lists it.
 */
export function imageSize({ size, manifest }: Pick<ImageFacts, "size" | "manifest">): number {
  const counted = new Set<string>([manifest.config.digest]);
  let repeated = 0;
  for (const layer of manifest.layers) {
    if (counted.has(layer.digest)) repeated += layer.size;
    counted.add(layer.digest);
  }
  return size + repeated;
}
