import { findNodeStatusImages } from "../../../src/images/index.ts";
import { list as listOf, type Topic } from "../topic.ts";

interface PlainImage {
  readonly id?: string;
  readonly size?: number;
  readonly repoTags?: readonly string[] | null;
  readonly repoDigests?: readonly string[] | null;
}

interface ListedNames {
  readonly names?: readonly string[] | null;
}

type ListedImage = { readonly [Name in keyof PlainImage]-?: NonNullable<PlainImage[Name]> };

export const topic: Topic = {
  async check(vector) {
    const max = vector["maxImages"] as number;
    const listError = vector["listError"] ?? vector["imageListError"];
    const list = async (): Promise<readonly ListedImage[]> => {
      if (typeof listError === "string") throw new Error(listError);
      return listOf<PlainImage>(vector, "images").map((image) => ({
        id: image.id ?? "",
        size: image.size ?? 0,
        repoTags: image.repoTags ?? [],
        repoDigests: image.repoDigests ?? [],
      }));
    };
    const { images, error } = await findNodeStatusImages(list, max);
    return {
      actual: { images, error },
      expected: {
        images: listOf<ListedNames>(vector, "expect").map((image) => ({
          ...image,
          names: image.names ?? [],
        })),
        error: (vector["error"] ?? vector["expectError"]) || undefined,
      },
    };
  },
};
