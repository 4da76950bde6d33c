import { matchesImage } from "../../../src/credentials/index.ts";
import { text, type Topic } from "../topic.ts";

export const topic: Topic = {
  check: (vector) => ({
    actual: matchesImage(text(vector, "glob"), text(vector, "target")),
    expected: vector["match"],
  }),
};
