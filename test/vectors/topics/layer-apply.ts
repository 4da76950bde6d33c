import { detectCompression } from "../../../src/oci/index.ts";
import { byOperation, text, type Topic } from "../topic.ts";

export const topic: Topic = byOperation({
  detectCompression(vector) {
    const actual = detectCompression(Buffer.from(text(vector, "bytesHex"), "hex"));
    return { actual: actual === "none" ? "uncompressed" : actual, expected: vector["result"] };
  },
});
