import {
  cacheKey,
  flightKey,
  hashToken,
  registryOf,
  Secret,
  serviceAccountKey,
  type ServiceAccountKeyParts,
} from "../../../src/credentials/index.ts";
import { GoError } from "../../../src/internal/go/errors.ts";
import { compareBytes } from "../../../src/internal/go/utf8.ts";
import { plainAuth, stubProvider, type StubScenario } from "../stub-provider.ts";
import { byOperation, type Comparison, text, type Topic, type Vector } from "../topic.ts";

interface PlainParts extends Omit<ServiceAccountKeyParts, "annotations" | "cacheType" | "tokenHash"> {
  readonly cacheType?: string;
  readonly tokenHash?: string;
  readonly annotations?: Readonly<Record<string, string>> | null;
  readonly keyHex?: string;
}

export const topic: Topic = byOperation({
  serviceAccountCacheKey: (vector) =>
    compareKey(() => serviceAccountKey(toParts(vector["params"] as PlainParts)), vector),
  cacheKey(vector) {
    const base = "x".repeat(Number(vector["baseKeyLength"] ?? 0));
    return compareKey(
      () => cacheKey((vector["baseKey"] ?? base) as string, text(vector, "serviceAccountCacheKey")),
      vector,
    );
  },
  singleFlightKey: (vector) =>
    compareKey(
      () => flightKey(text(vector, "image"), text(vector, "tokenHash"), annotationsOf(vector["annotations"])),
      vector,
    ),
  tokenHash: (vector) => ({
    actual: hashToken(new Secret(text(vector, "token"))),
    expected: vector["expect"],
  }),
  parseRegistry: (vector) => ({ actual: registryOf(text(vector, "image")), expected: vector["expect"] }),
  async provideCacheKey(vector) {
    const { provider, pod, requests } = stubProvider(vector as unknown as StubScenario);
    const image = text(vector, "image");
    const first = await provider.provide(image, pod);
    const second = await provider.provide(image, pod);
    return {
      actual: {
        keys: provider.cachedKeys,
        hex: provider.cachedKeys.map(hexOf),
        first: plainAuth(first.document),
        second: plainAuth(second.document),
        usedCache: second.reason === "cached" && requests.length === 1,
      },
      expected: {
        keys: [vector["expectOnlyCacheKey"]],
        hex: [vector["expectOnlyCacheKeyHex"]],
        first: vector["expectDockerConfig"],
        second: vector["expectDockerConfig"],
        usedCache: vector["secondCallUsesCache"],
      },
    };
  },
  distinctKeys(vector) {
    const sets = vector["parameterSets"] as readonly PlainParts[];
    const base = text(vector, "baseKey");
    const keys = sets.map((set) => serviceAccountKey(toParts(set)));
    const identities = sets.map((set) => JSON.stringify(toParts(set), replaceMap));
    const pairs = (values: readonly string[]): readonly boolean[] =>
      values.flatMap((one) => values.map((other) => one === other));
    const whole = keys.map((key) => cacheKey(base, key));
    return {
      actual: { hex: keys.map(hexOf), equal: pairs(keys), wholeEqual: pairs(whole) },
      expected: {
        hex: sets.map(({ keyHex }, index) => keyHex ?? hexOf(keys[index] ?? "")),
        equal: pairs(identities),
        wholeEqual: pairs(identities),
      },
    };
  },
});

function compareKey(make: () => string, vector: Vector): Comparison {
  try {
    const key = make();
    if (vector["error"] === true) return { actual: key.length, expected: "an error" };
    const actual = { key, hex: hexOf(key) };
    return { actual, expected: { key: vector["expect"] ?? key, hex: vector["expectHex"] ?? actual.hex } };
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    return { actual: true, expected: vector["error"] === true };
  }
}

function toParts({ annotations, ...parts }: PlainParts): ServiceAccountKeyParts {
  const { namespace, serviceAccountName, serviceAccountUID, cacheType = "", tokenHash = "" } = parts;
  return {
    namespace,
    serviceAccountName,
    serviceAccountUID,
    annotations: annotationsOf(annotations),
    cacheType,
    tokenHash,
  };
}

function annotationsOf(value: unknown): ReadonlyMap<string, string> {
  return new Map(Object.entries((value ?? {}) as Readonly<Record<string, string>>));
}

function replaceMap(_: string, value: unknown): unknown {
  return value instanceof Map
    ? Object.fromEntries([...(value as Map<string, string>)].toSorted(([a], [b]) => compareBytes(a, b)))
    : value;
}

function hexOf(key: string): string {
  return Buffer.from(key, "latin1").toString("hex");
}
