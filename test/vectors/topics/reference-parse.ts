import {
  craneScheme,
  craneScope,
  formatCraneName,
  formatLocator,
  formatReference,
  isDomain,
  isIdentifier,
  isPrivateAddress,
  locatorDigest,
  locatorHost,
  matchName,
  matchReference,
  orasReference,
  parseCraneDigest,
  parseCraneName,
  parseCraneRegistry,
  parseCraneRepository,
  parseCraneTag,
  parseLocator,
  parseNamed,
  parseOrasName,
  parseReference,
  repositoryName,
  withDigest,
  withName,
  withTag,
  type CraneDigest,
  type CraneNameOptions,
  type CraneRepository,
  type CraneScope,
  type CraneTag,
  type Reference,
} from "../../../src/reference/index.ts";
import {
  digestAlgorithm,
  digestEncoded,
  findDigestFault,
  parseDigest,
  type DigestAlgorithm,
} from "../../../src/oci/index.ts";
import { byOperation, orError, pick, succeeds, text, type Check, type Topic, type Vector } from "../topic.ts";

const RESULTS = ["error", "name", "domain", "path", "tag", "digest", "string", "result"];

export const topic: Topic = byOperation({
  parse: results((vector) =>
    partsOf(parseReference(text(vector, "input"), { normalize: false, algorithms: algorithmsOf(vector) })),
  ),
  withName: results((vector) => partsOf(withName(text(vector, "input")))),
  withTag: results(
    (vector) => {
      const name = withName(text(vector, "name"));
      const before = vector["digest"] === "" ? name : withDigest(name, text(vector, "digest"));
      return { result: formatReference(withTag(before, text(vector, "tag"))) };
    },
    ["error", "result"],
  ),
  withDigest: results(
    (vector) => {
      const name = withName(text(vector, "name"));
      const before = vector["tag"] === "" ? name : withTag(name, text(vector, "tag"));
      return { result: formatReference(withDigest(before, text(vector, "digest"))) };
    },
    ["error", "result"],
  ),
  parseNamed: results((vector) =>
    partsOf(parseNamed(text(vector, "input"), { algorithms: algorithmsOf(vector) })),
  ),
  domainGrammar: (vector) => ({ actual: isDomain(text(vector, "input")), expected: vector["match"] }),
  identifierGrammar: (vector) => ({ actual: isIdentifier(text(vector, "input")), expected: vector["match"] }),
  nameGrammar: (vector) => matching(vector, matchName(text(vector, "input"))),
  referenceGrammar(vector) {
    const parts = matchReference(text(vector, "input"));
    if (parts === undefined) return matching(vector, undefined);
    const { domain, path, tag = "", digest = "" } = parts;
    return matching(vector, { domain, path, tag, digest, name: domain === "" ? path : `${domain}/${path}` });
  },
  digestParse(vector) {
    const input = text(vector, "input");
    const fault = findDigestFault(input, { algorithms: algorithmsOf(vector) });
    const expected = pick(vector, ["error", "algorithm", "encoded"]);
    if (fault !== undefined) return { actual: { error: `digest-${fault}` }, expected };
    const digest = parseDigest(input);
    const parts = { error: null, algorithm: digestAlgorithm(digest), encoded: digestEncoded(digest) };
    return { actual: pick(parts, Object.keys(expected)), expected };
  },
  containerdSpec: results(
    (vector) => {
      const locator = parseLocator(text(vector, "input"));
      const hostname = locatorHost(locator);
      return { ...locator, hostname, digest: locatorDigest(locator), string: formatLocator(locator) };
    },
    ["error", "locator", "object", "hostname", "digest", "string"],
  ),
  "ggcr.tag": crane(parseCraneTag),
  "ggcr.digest": crane(parseCraneDigest),
  "ggcr.repository": crane(parseCraneRepository),
  "ggcr.reference": crane(parseCraneName),
  "ggcr.registry"(vector) {
    const parse = (): string => parseCraneRegistry(text(vector, "input"), craneOptions(vector));
    if (vector["valid"] === false) return { actual: succeeds(parse), expected: false };
    return { actual: parse(), expected: vector["registry"] };
  },
  "ggcr.scheme": (vector) => ({
    actual: craneScheme(text(vector, "input"), { insecure: vector["insecure"] === true }),
    expected: vector["scheme"],
  }),
  "ggcr.rfc1918": (vector) => ({
    actual: isPrivateAddress(text(vector, "input")),
    expected: vector["result"],
  }),
  "ggcr.scope"(vector) {
    const input = text(vector, "input");
    // The vectors give names of every kind; a registry alone is what has no path.
    const name = !input.includes("/") ? parseCraneRegistry(input) : parseCraneRepositoryOf(input);
    return { actual: craneScope(name, vector["action"] as CraneScope), expected: vector["scope"] };
  },
  oras(vector) {
    const parse = (): Record<string, unknown> => {
      const name = parseOrasName(text(vector, "input"));
      return { tag: "", digest: "", ...name, reference: orasReference(name) };
    };
    if (vector["valid"] === false) return { actual: succeeds(parse), expected: false };
    const expected = pick(vector, ["registry", "repository", "tag", "digest", "reference"]);
    return { actual: pick(parse(), Object.keys(expected)), expected };
  },
});

/** A check that compares what a case states of `names`, an error included. */
function results(
  act: (vector: Vector) => Record<string, unknown>,
  names: readonly string[] = RESULTS,
): Check {
  return (vector) => {
    const expected = { error: null, ...pick(vector, names) };
    const actual = orError(() => ({ error: null, ...pick(act(vector), Object.keys(expected)) }));
    return { actual, expected };
  };
}

function matching(vector: Vector, parts: object | undefined): ReturnType<Check> {
  const expected = pick(vector, ["match", "domain", "path", "name", "tag", "digest"]);
  const actual = pick({ match: parts !== undefined, ...parts }, Object.keys(expected));
  return { actual, expected };
}

function crane(
  parse: (text: string, options: CraneNameOptions) => CraneRepository | CraneTag | CraneDigest,
): Check {
  return (vector) => {
    const act = (): CraneRepository => parse(text(vector, "input"), craneOptions(vector));
    if (vector["valid"] === false) return { actual: succeeds(act), expected: false };
    const name = act();
    const expected = pick(vector, ["kind", "registry", "repository", "tag", "digest", "name"]);
    return { actual: pick({ ...name, name: formatCraneName(name) }, Object.keys(expected)), expected };
  };
}

function craneOptions(vector: Vector): CraneNameOptions {
  return {
    strict: vector["mode"] === "strict",
    defaultRegistry: vector["defaultRegistry"] as string | undefined,
    defaultTag: vector["defaultTag"] as string | undefined,
  };
}

function parseCraneRepositoryOf(input: string): CraneRepository {
  return /[@:][^/]*$/.test(input) ? parseCraneName(input) : parseCraneRepository(input);
}

function partsOf(reference: Reference): Record<string, unknown> {
  const { domain, path, tag = "", digest = "" } = reference;
  return {
    name: repositoryName(reference),
    domain,
    path,
    tag,
    digest,
    string: formatReference(reference),
  };
}

function algorithmsOf(vector: Vector): readonly DigestAlgorithm[] {
  return (vector["digestAlgorithms"] as readonly DigestAlgorithm[] | undefined) ?? ["sha256"];
}
