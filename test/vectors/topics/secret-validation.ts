import { type KubernetesObject, validateCreate, validateUpdate } from "../../../src/kubernetes/index.ts";
import { aggregate, type FieldError } from "../../../src/internal/kubernetes/field-error.ts";
import { byOperation, type Comparison, type Topic, type Vector } from "../topic.ts";

interface PlainSecret {
  readonly metadata: KubernetesObject["metadata"];
  readonly type?: string;
  readonly immutable?: boolean;
  readonly data?: Readonly<Record<string, string>>;
  /** Lengths of values that are too long to stand there. */
  readonly dataGenerated?: Readonly<Record<string, unknown>>;
}

export const topic: Topic = byOperation({
  validateSecret: (vector) => compare(vector, validateCreate(secret(vector["secret"]))),
  validateSecretUpdate: (vector) =>
    compare(vector, validateUpdate(secret(vector["newSecret"]), secret(vector["oldSecret"]), "")),
});

/** Cases give data as plain text. */
function secret(given: unknown): KubernetesObject {
  const { data, dataGenerated = {}, ...rest } = given as PlainSecret;
  const texts = [...Object.entries(data ?? {}), ...generated(dataGenerated)];
  const encoded = texts.map(([key, text]) => [key, Buffer.from(text).toString("base64")]);
  return {
    apiVersion: "v1",
    kind: "Secret",
    ...rest,
    ...(texts.length > 0 && { data: Object.fromEntries(encoded) as Record<string, string> }),
  };
}

/** By key; or one value that names its own. */
function generated(given: Readonly<Record<string, unknown>>): readonly (readonly [string, string])[] {
  const { key } = given;
  if (typeof key === "string") return [[key, generate(given)]];
  return Object.entries(given).map(([name, how]) => [name, generate(how)]);
}

function generate(how: unknown): string {
  if (typeof how === "number") return "x".repeat(how);
  const { length, size, bytes, count, repeat } = how as Readonly<Record<string, unknown>>;
  const times = [length, size, bytes, count].find((one) => typeof one === "number");
  if (typeof times !== "number") throw new TypeError(`cannot generate ${JSON.stringify(how)}`);
  return (typeof repeat === "string" ? repeat : "x").repeat(times);
}

function compare(vector: Vector, errors: readonly FieldError[]): Comparison {
  const valid = vector["valid"] === true;
  const expected = vector["errors"] as readonly string[] | undefined;
  if (expected === undefined) return { actual: errors.length === 0, expected: valid };
  return {
    actual: { valid: errors.length === 0, errors: aggregate(errors.map(({ message }) => message)) },
    expected: { valid, errors: aggregate(expected) },
  };
}
