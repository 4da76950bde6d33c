import {
  familiarMatch,
  familiarName,
  familiarString,
  formatReference,
  parseAny,
  parseDockerRef,
  parseReference,
  repositoryName,
  sortReferences,
  type ParseOptions,
} from "../../../src/reference/index.ts";
import { byOperation, orError, pick, text, type Check, type Topic, type Vector } from "../topic.ts";

/** The vectors assume that nothing but sha256 is registered. */
const SHA256: ParseOptions = { algorithms: ["sha256"] };

export const topic: Topic = byOperation({
  normalize: results((vector) => {
    const reference = parseReference(text(vector, "input"), SHA256);
    const { domain, path, tag = "", digest = "" } = reference;
    return {
      canonical: formatReference(reference),
      domain,
      path,
      tag,
      digest,
      familiarName: familiarName(reference),
      familiarString: familiarString(reference),
    };
  }),
  repositoryInfo: results((vector) => {
    const reference = parseReference(text(vector, "input"), SHA256);
    return {
      familiarName: familiarName(reference),
      fullName: repositoryName(reference),
      domain: reference.domain,
      remoteName: reference.path,
    };
  }),
  parseAny: results((vector) => {
    const found = parseAny(text(vector, "input"), SHA256);
    const digestOnly = typeof found === "string";
    return { digestOnly, result: digestOnly ? found : formatReference(found) };
  }),
  splitNormalized: results((vector) => ({ ...parseReference(text(vector, "input"), SHA256) })),
  familiarMatch: results((vector) => ({
    match: familiarMatch(text(vector, "pattern"), parseAny(text(vector, "reference"), SHA256)),
  })),
  parseDockerRef: results((vector) => ({
    result: formatReference(parseDockerRef(text(vector, "input"), SHA256)),
  })),
  sort: (vector) => ({
    actual: sortReferences(vector["input"] as readonly string[], SHA256),
    expected: vector["expected"],
  }),
});

const RESULTS = [
  ..."error canonical domain path tag digest familiarName familiarString".split(" "),
  ..."fullName remoteName result digestOnly match".split(" "),
];

function results(act: (vector: Vector) => Record<string, unknown>): Check {
  return (vector) => {
    const expected = { error: null, ...pick(vector, RESULTS) };
    const actual = orError(() => ({ error: null, ...pick(act(vector), Object.keys(expected)) }));
    return { actual, expected };
  };
}
