import {
  type Coordinates,
  CredentialProviders,
  type CredentialOwner,
  decodeDocument,
  type ImageKeyring,
  Keyring,
  type KeyringAnswer,
  type PullSecret,
  Secret,
  secretsKeyring,
  type TrackedCredential,
} from "../../../src/credentials/index.ts";
import { byOperation, type Comparison, text, type Topic, type Vector } from "../topic.ts";

interface PlainCredential {
  readonly username: string;
  readonly password: string;
  readonly email?: string;
  readonly authConfigHash?: string;
  readonly source?: CredentialOwner | null;
}

interface PlainSecret {
  readonly metadata: Partial<Coordinates>;
  readonly type: string;
  readonly data?: Readonly<Record<string, string>>;
}

const STUB = { kind: "argument", label: "the vector" } as const;

export const topic: Topic = byOperation({
  basicKeyringLookup(vector) {
    const keyring = new Keyring({ track: tracked(vector) });
    keyring.add(decodeDocument(JSON.stringify(vector["dockercfg"]), "dockercfg"), STUB);
    const image = text(vector, "image");
    const { found, credentials, verdicts } = keyring.explain(image);
    // The explanation is the plain scan, the lookup the indexed one.
    const same = JSON.stringify(keyring.lookup(image)) === JSON.stringify({ credentials, found });
    if (!same) throw new Error(`the index disagrees with ${JSON.stringify(verdicts)}`);
    return compare({ found, credentials }, vector);
  },
  async makeDockerKeyring(vector) {
    const secrets = (vector["pullSecrets"] as readonly PlainSecret[]).map(toPullSecret);
    let keyring: ImageKeyring;
    try {
      keyring = secretsKeyring(secrets, stubKeyring(vector["defaultKeyring"]), { track: tracked(vector) });
    } catch (error) {
      const { message } = error as Error;
      const { errorMessage, error: expected } = vector;
      const wanted = errorMessage ?? (typeof expected === "string" ? expected : undefined);
      return {
        actual: { failed: true, message: wanted === undefined ? undefined : message },
        expected: {
          failed: expected !== undefined && expected !== false && expected !== "",
          message: wanted,
        },
      };
    }
    return compare(await keyring.lookup(text(vector, "image")), vector);
  },
  async externalKeyringLookup(vector) {
    const image = text(vector, "image");
    const asked: string[][] = [];
    const providers = new CredentialProviders({ track: tracked(vector) });
    for (const [index, given] of (vector["providers"] as readonly PlainProvider[]).entries()) {
      const images: string[] = [];
      asked.push(images);
      providers.register(`provider-${index}`, {
        provide(wanted) {
          images.push(wanted);
          return Promise.resolve({
            document: decodeDocument(JSON.stringify(given.dockerConfig), "dockercfg"),
            serviceAccount: given.serviceAccountCoordinates ?? undefined,
            reason: "answered",
          });
        },
      });
    }
    const { workers = 1, callsPerWorker = 1 } = (vector["concurrency"] ?? {}) as Readonly<
      Partial<Record<"workers" | "callsPerWorker", number>>
    >;
    const keyring = providers.forPod({ namespace: "", name: "", uid: "", serviceAccountName: "" });
    const calls = Array.from({ length: workers * callsPerWorker }, () => keyring.lookup(image));
    const answers = await Promise.all(calls);
    const everyone = vector["eachProviderCalledOnceWithImage"];
    const [first] = answers;
    const actual: Readonly<Record<string, unknown>> = {
      found: answers.every(({ found }) => found === vector["found"]) ? vector["found"] : "not always",
      credentialCount: first?.credentials.length,
      counts: new Set(answers.map(({ credentials }) => credentials.length)).size,
      anyCredentialHasServiceAccountSource: first?.credentials.some(({ owner }) => owner?.serviceAccount),
      eachProviderCalledOnceWithImage: asked.every(({ length, 0: only }) => length === 1 && only === everyone)
        ? everyone
        : asked,
      totalProviderCalls: asked.flat().length,
    };
    const expected: Record<string, unknown> = { counts: 1 };
    for (const member of Object.keys(actual))
      if (vector[member] !== undefined) expected[member] = vector[member];
    const compared = Object.keys(expected).map((member) => [member, actual[member]]);
    const { credentials: list } = vector;
    if (list !== undefined && first !== undefined) return compare(first, vector);
    return { actual: Object.fromEntries(compared), expected };
  },
});

interface PlainProvider {
  readonly dockerConfig: unknown;
  readonly serviceAccountCoordinates: Coordinates | null;
}

/** The gate is on unless a case says otherwise. */
function tracked(vector: Vector): boolean {
  const gates = (vector["featureGates"] ?? {}) as Readonly<Record<string, boolean>>;
  return gates["KubeletEnsureSecretPulledImages"] ?? true;
}

function toPullSecret({ metadata, type, data = {} }: PlainSecret): PullSecret {
  const bytes = Object.entries(data).map(([key, value]) => [key, Buffer.from(value)] as const);
  const { uid = "", namespace = "", name = "" } = metadata;
  return { uid, namespace, name, type, data: Object.fromEntries(bytes) };
}

function stubKeyring(given: unknown): ImageKeyring {
  if (given === null || given === undefined) return new Keyring();
  const { credentials, found } = given as {
    readonly credentials: readonly PlainCredential[] | null;
    readonly found: boolean;
  };
  const answer: KeyringAnswer = {
    found,
    credentials: (credentials ?? []).map((credential) => ({
      username: credential.username,
      password: new Secret(credential.password),
      email: credential.email ?? "",
      owner: credential.source ?? undefined,
      hash: credential.authConfigHash ?? "",
      origin: STUB,
    })),
  };
  return { lookup: () => answer };
}

/** A case gives all credentials, or the first and how many there may be. */
function compare({ found, credentials }: KeyringAnswer, vector: Vector): Comparison {
  const plain = credentials.map((credential) => plainCredential(credential));
  const actual: Record<string, unknown> = { found };
  const expected: Record<string, unknown> = { found: vector["found"] };
  if (vector["credentials"] !== undefined) {
    actual["credentials"] = plain;
    expected["credentials"] = ((vector["credentials"] ?? []) as readonly PlainCredential[]).map(complete);
  }
  if (vector["firstCredential"] !== undefined) {
    const wanted = vector["firstCredential"] as PlainCredential;
    const members = Object.keys(wanted) as (keyof PlainCredential)[];
    actual["first"] = Object.fromEntries(members.map((member) => [member, plain[0]?.[member]]));
    expected["first"] = wanted;
  }
  if (vector["maxCredentials"] !== undefined) {
    actual["fewEnough"] = plain.length <= Number(vector["maxCredentials"]);
    expected["fewEnough"] = true;
  }
  return { actual, expected };
}

function complete({ email = "", authConfigHash = "", source = null, ...rest }: PlainCredential): unknown {
  return { ...rest, email, authConfigHash, source };
}

function plainCredential(credential: TrackedCredential): PlainCredential & { readonly email: string } {
  const { username, password, email, hash, owner } = credential;
  return { username, password: password.reveal(), email, authConfigHash: hash, source: owner ?? null };
}
