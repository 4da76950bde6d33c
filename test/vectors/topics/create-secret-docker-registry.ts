import {
  createDockerRegistrySecret,
  createDockerRegistrySecretFromFiles,
  DockerRegistrySecretError,
  type KubernetesObject,
  parseFileSource,
} from "../../../src/kubernetes/index.ts";
import { byOperation, pick, text, type Comparison, type Topic, type Vector } from "../topic.ts";

interface Options {
  readonly name: string;
  readonly namespace?: string;
  readonly username: string;
  readonly password: string;
  readonly email: string;
  readonly server: string;
  readonly appendHash: boolean;
}

export const topic: Topic = byOperation({
  createFromFlags(vector) {
    const options = vector["options"] as Options;
    return compare(vector, () => createDockerRegistrySecret(options, options));
  },
  createFromFile(vector) {
    const sources = [text(vector, "fromFile")];
    const options = (vector["options"] as Options | undefined) ?? { name: "foo" };
    const readFile = async (): Promise<Uint8Array> => readAs(vector);
    return compare(vector, () => createDockerRegistrySecretFromFiles(sources, readFile, options));
  },
  parseFileSource(vector) {
    const source = text(vector, vector["source"] === undefined ? "input" : "source");
    const expected = pick(vector, ["key", "path", "keyName", "filePath"]);
    return compareResult(
      vector,
      () => {
        const { key, path } = parseFileSource(source);
        return pick({ key, path, keyName: key, filePath: path }, Object.keys(expected));
      },
      expected,
    );
  },
});

function readAs(vector: Vector): Uint8Array {
  if (vector["isDirectory"] === true) throw Object.assign(new Error("is a directory"), { code: "EISDIR" });
  if (typeof vector["fileText"] === "string") return Buffer.from(vector["fileText"]);
  throw Object.assign(new Error("no such file"), { code: "ENOENT" });
}

async function compare(
  vector: Vector,
  create: () => KubernetesObject | Promise<KubernetesObject>,
): Promise<Comparison> {
  const text = vector["expectedDataText"];
  const base64 = vector["expectedDataBase64"];
  return await compareResult(
    vector,
    async () => {
      const { data, ...secret } = await create();
      const stored = (data as Readonly<Record<string, string>>)[".dockerconfigjson"] ?? "";
      return {
        secret,
        text: text === undefined ? text : Buffer.from(stored, "base64").toString(),
        base64: base64 === undefined ? base64 : stored,
      };
    },
    { secret: vector["expectedSecret"], text, base64 },
  );
}

async function compareResult(vector: Vector, act: () => unknown, expected: unknown): Promise<Comparison> {
  try {
    const actual = await act();
    return vector["error"] === true ? { actual, expected: vector["errorMessage"] } : { actual, expected };
  } catch (error) {
    if (!(error instanceof DockerRegistrySecretError)) throw error;
    return { actual: error.message, expected: vector["errorMessage"] ?? error.message };
  }
}
