import { nodeStatusImages } from "../../../src/images/index.ts";
import { type Topic } from "../topic.ts";

interface PlainImage {
  readonly id?: string;
  readonly size: number;
  readonly repoTags?: readonly string[];
  readonly repoDigests?: readonly string[];
}

export const topic: Topic = {
  check(vector) {
    const images = (vector["images"] as readonly PlainImage[]).map(
      ({ id = "", size, repoTags = [], repoDigests = [] }) => ({ id, size, repoTags, repoDigests }),
    );
    return { actual: nodeStatusImages(images, vector["maxImages"] as number), expected: vector["expect"] };
  },
};
