import { isDefaultRegistry } from "../../../src/credentials/index.ts";
import { text, type Topic } from "../topic.ts";

export const topic: Topic = {
  check: (vector) => ({
    actual: isDefaultRegistry(text(vector, "image")),
    expected: vector["isDefaultRegistry"],
  }),
};
