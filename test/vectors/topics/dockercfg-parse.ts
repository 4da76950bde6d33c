import { decodeAuth, encodeEntry, readEntry, Secret } from "../../../src/credentials/index.ts";
import { GoError } from "../../../src/internal/go/errors.ts";
import { type JsonNode, parseJson } from "../../../src/internal/go/json-parse.ts";
import { documentOutcome, expectedOutcome, nodeFileOutcome, plainEntry } from "../docker-documents.ts";
import { byOperation, text, type Topic } from "../topic.ts";

const NO_USER = { username: "", password: "" };

export const topic: Topic = byOperation({
  parseDockercfg: (vector) => ({
    actual: documentOutcome(text(vector, "input"), "dockercfg", vector),
    expected: expectedOutcome(vector),
  }),
  readPreferredPath: nodeFileOutcome,
  parseEntry(vector) {
    let node: JsonNode;
    try {
      node = parseJson(text(vector, "input"));
    } catch (error) {
      if (!(error instanceof GoError)) throw error;
      return { actual: outcome({ ...NO_USER, email: "" }, error, vector), expected: expectedOutcome(vector) };
    }
    const { entry, error } = readEntry(node);
    return { actual: outcome(plainEntry(entry), error, vector), expected: expectedOutcome(vector) };
  },
  decodeAuth(vector) {
    try {
      const { username, password } = decodeAuth(text(vector, "input"));
      const actual = outcome({ username, password: password.reveal().toWellFormed() }, undefined, vector);
      return { actual, expected: expectedOutcome(vector) };
    } catch (error) {
      if (!(error instanceof GoError)) throw error;
      return { actual: outcome(NO_USER, error, vector), expected: expectedOutcome(vector) };
    }
  },
  encodeEntry(vector) {
    const { username = "", password = "", email = "" } = vector["input"] as Readonly<Record<string, string>>;
    const actual = encodeEntry({ username, password: new Secret(password), email });
    return {
      actual: { ...outcome({}, undefined, vector), value: actual },
      expected: expectedOutcome(vector),
    };
  },
});

function outcome(
  value: Readonly<Record<string, string>>,
  error: GoError | undefined,
  vector: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return {
    error: error !== undefined,
    message: vector["errorMessage"] === undefined ? undefined : error?.message,
    value,
  };
}
