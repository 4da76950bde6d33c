import { findNodeStatusImages } from "../../../src/images/index.ts";
import { type Topic } from "../topic.ts";

interface PlainImage {
  readonly id?: string;
  readonly size: number;
  readonly repoTags?: readonly string[];
  readonly repoDigests?: readonly string[];
}

export const topic: Topic = {
  async check(vector) {
    const max = vector["maxImages"] as number;
    const listError = vector["listError"] ?? vector["imageListError"];
    const list = async (): Promise<readonly Required<PlainImage>[]> => {
      if (typeof listError === "string") throw new Error(listError);
      return ((vector["images"] ?? []) as readonly PlainImage[]).map(
        ({ id = "", size, repoTags = [], repoDigests = [] }) => ({ id, size, repoTags, repoDigests }),
      );
    };
    const { images, error } = await findNodeStatusImages(list, max);
    return {
      actual: { images, error },
      expected: { images: vector["expect"] ?? [], error: vector["error"] ?? vector["expectError"] },
    };
  },
};
