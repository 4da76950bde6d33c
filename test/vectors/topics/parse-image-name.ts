import { repositoryName } from "../../../src/reference/index.ts";
import { applyDefaultImageTag, parseImageName, trimImageTagDigest } from "../../../src/images/index.ts";
import { ImagesError } from "../../../src/images/index.ts";
import { byOperation, text, type Check, type Topic } from "../topic.ts";

export const topic: Topic = byOperation({
  parseImageName: results((input) => {
    const reference = parseImageName(input);
    return {
      repo: repositoryName(reference),
      tag: reference.tag ?? "",
      digest: reference.digest ?? "",
    };
  }),
  applyDefaultImageTag: results((input) => ({ output: applyDefaultImageTag(input) })),
  trimTagDigest: results((input) => ({ output: trimImageTagDigest(input) })),
});

function results(act: (input: string) => Readonly<Record<string, string>>): Check {
  return (vector) => {
    const input = text(vector, "input");
    if (vector["error"] !== true) {
      const actual = act(input);
      return { actual, expected: Object.fromEntries(Object.keys(actual).map((key) => [key, vector[key]])) };
    }
    const message = messageOf(() => act(input));
    const part = vector["errorContains"];
    if (typeof part === "string") return { actual: message.includes(part) ? part : message, expected: part };
    return { actual: message, expected: vector["errorMessage"] ?? message };
  };
}

function messageOf(act: () => unknown): string {
  try {
    return `no error but ${JSON.stringify(act())}`;
  } catch (error) {
    if (error instanceof ImagesError) return error.message;
    throw error;
  }
}
