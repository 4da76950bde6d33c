import {
  ImagesError,
  makeVerificationPolicy,
  parseAllowlist,
  parseAllowlistPattern,
} from "../../../src/images/index.ts";
import { byOperation, list, text, type Topic } from "../topic.ts";

export const topic: Topic = byOperation({
  requireVerification(vector) {
    const patterns = list<string>(vector, "allowlist");
    const expected: Record<string, unknown> = { error: vector["error"] === true };
    const counted = vector["expectedExact"] !== undefined;
    if (!expected["error"]) expected["required"] = vector["requireVerification"];
    if (counted)
      Object.assign(expected, { exact: vector["expectedExact"], prefixes: vector["expectedPrefixes"] });
    const actual = orRefused(() => {
      const policy = makeVerificationPolicy(text(vector, "policy"), { allowlist: patterns });
      const { required } = policy.judge(text(vector, "image"), vector["pulledByKubelet"] === true);
      if (!counted) return { error: false, required };
      const { exact, prefixes } = parseAllowlist(patterns);
      return { error: false, required, exact: exact.size, prefixes: prefixes.length };
    });
    return { actual, expected };
  },
  allowlistPattern(vector) {
    const pattern = text(vector, "pattern");
    if (vector["error"] !== true) {
      const { text: normalized, wildcard } = parseAllowlistPattern(pattern);
      return {
        actual: { normalized, wildcard },
        expected: { normalized: vector["normalized"], wildcard: vector["wildcard"] },
      };
    }
    const message = messageOf(() => parseAllowlistPattern(pattern));
    return { actual: message, expected: vector["errorMessage"] ?? message };
  },
});

function orRefused(act: () => Record<string, unknown>): Record<string, unknown> {
  try {
    return act();
  } catch (error) {
    if (error instanceof ImagesError) return { error: true };
    throw error;
  }
}

function messageOf(act: () => unknown): string {
  try {
    return `no error but ${JSON.stringify(act())}`;
  } catch (error) {
    if (error instanceof ImagesError) return error.message;
    throw error;
  }
}
