import { documentOutcome, expectedOutcome, nodeFileOutcome } from "../docker-documents.ts";
import { byOperation, text, type Topic } from "../topic.ts";

export const topic: Topic = byOperation({
  parseDockerConfigJson: (vector) => ({
    actual: documentOutcome(text(vector, "input"), "dockerconfigjson", vector),
    expected: expectedOutcome(vector),
  }),
  readPreferredPath: nodeFileOutcome,
});
