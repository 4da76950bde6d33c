import { messageOf } from "./message-of.ts";
import type { ServiceImage } from "./image-service.ts";

/** One entry of a Node's `status.images`. */
export interface NodeStatusImage {
  readonly names: readonly string[];
  readonly sizeBytes: number;
}

type Listed = Pick<ServiceImage, "id" | "size" | "repoTags" | "repoDigests">;

/** Of each image at most so many names are told. */
const MOST_NAMES = 5;

/** The largest first; of those, the highest id. */
export function sortBySize<T extends Listed>(images: readonly T[]): readonly T[] {
  return images.toSorted((a, b) => b.size - a.size || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0));
}

/** @param max `nodeStatusMaxImages`: -1 for all */
export function nodeStatusImages(images: readonly Listed[], max: number): readonly NodeStatusImage[] {
  const sorted = sortBySize(images);
  return (max === -1 ? sorted : sorted.slice(0, max)).map(({ size, repoDigests, repoTags }) => ({
    names: [...repoDigests, ...repoTags].slice(0, MOST_NAMES),
    sizeBytes: size,
  }));
}

/** A Node's images where listing may fail: then the field is empty, and the error says why. */
export async function findNodeStatusImages(
  list: () => Promise<readonly Listed[]>,
  max: number,
): Promise<{ readonly images: readonly NodeStatusImage[]; readonly error?: string | undefined }> {
  try {
    return { images: nodeStatusImages(await list(), max) };
  } catch (error) {
    return { images: [], error: `error getting image list: ${messageOf(error)}` };
  }
}
