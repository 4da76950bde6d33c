import { GoError } from "../../internal/go/errors.ts";
import { CredentialsError } from "../errors.ts";
import { decodeDocument, type DockerFormat } from "./docker-document.ts";
import { type ImageKeyring, Keyring, type LookupExplanation, UnionKeyring } from "./keyring.ts";

/** A Secret of the API, as far as pulling goes. */
export interface PullSecret {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly type: string;
  readonly data: Readonly<Record<string, Uint8Array>>;
}

/** Whether a Secret can hold credentials at all, and why not. */
export type SecretVerdict =
  | { readonly usable: true; readonly format: DockerFormat; readonly bytes: Uint8Array }
  | { readonly usable: false; readonly why: "type" | "key-missing" | "key-empty" };

const KEYS: Readonly<Record<string, readonly [key: string, format: DockerFormat]>> = {
  "kubernetes.io/dockerconfigjson": [".dockerconfigjson", "dockerconfigjson"],
  "kubernetes.io/dockercfg": [".dockercfg", "dockercfg"],
};

/** A Secret counts when its type is one of two and the key of that type holds something. */
export function judgeSecret({ type, data }: PullSecret): SecretVerdict {
  const known = Object.hasOwn(KEYS, type) ? KEYS[type] : undefined;
  if (known === undefined) return { usable: false, why: "type" };
  const [key, format] = known;
  const bytes = Object.hasOwn(data, key) ? data[key] : undefined;
  if (bytes === undefined) return { usable: false, why: "key-missing" };
  return bytes.length === 0 ? { usable: false, why: "key-empty" } : { usable: true, format, bytes };
}

/**
 * A Pod's pull secrets before what the node has. Secrets that don't count are passed over; a broken one spoils all.
 *
 * @throws CredentialsError `CONFIG_INVALID`, whose message is the kubelet's
 */
export function secretsKeyring(
  secrets: Iterable<PullSecret>,
  fallback: ImageKeyring,
  options: { readonly track?: boolean | undefined } = {},
): ImageKeyring {
  const keyring = new Keyring(options);
  let counting = 0;
  for (const secret of secrets) {
    const verdict = judgeSecret(secret);
    if (!verdict.usable) continue;
    counting++;
    addSecret(keyring, secret, verdict);
  }
  return counting === 0 ? fallback : new UnionKeyring([keyring, fallback]);
}

/** What one Secret has for an image, and why not more. */
export interface ExplainedSecret {
  readonly secret: PullSecret;
  readonly verdict: SecretVerdict;
  /** Every entry and what came of it; absent where there is nothing to look in. */
  readonly lookup?: LookupExplanation | undefined;
  /** Why its document can't be read, in the kubelet's words; such a Secret spoils all lookups of the Pod. */
  readonly problem?: string | undefined;
  /** Sentences about entries that were left out. */
  readonly rejected: readonly string[];
}

/**
 * Goes through Secrets as {@link secretsKeyring} does, one by one, and says what each has for an image. What is tried
 * first among all of them is for that one's lookup to say: it sorts the entries of all Secrets together.
 *
 * @param image the normalised repository
 */
export function explainPullSecrets(
  secrets: Iterable<PullSecret>,
  image: string,
  options: { readonly track?: boolean | undefined } = {},
): readonly ExplainedSecret[] {
  return [...secrets].map((secret) => {
    const verdict = judgeSecret(secret);
    if (!verdict.usable) return { secret, verdict, rejected: [] };
    const keyring = new Keyring(options);
    try {
      addSecret(keyring, secret, verdict);
    } catch (error) {
      if (!(error instanceof CredentialsError)) throw error;
      return { secret, verdict, problem: error.message, rejected: [] };
    }
    return { secret, verdict, lookup: keyring.explain(image), rejected: keyring.rejected };
  });
}

/** A Pod's pull secrets, and what is to be said about those that couldn't be had. */
export interface CollectedSecrets {
  readonly secrets: readonly PullSecret[];
  readonly failed: readonly { readonly name: string; readonly cause: unknown }[];
  /** A Warning event for the Pod. */
  readonly warning: { readonly reason: string; readonly message: string } | undefined;
}

/** Fetches the Secrets a Pod names from its namespace. A pull goes on with those that were found. */
export async function collectPullSecrets(
  names: Iterable<string>,
  fetch: (name: string) => Promise<PullSecret>,
): Promise<CollectedSecrets> {
  const secrets: PullSecret[] = [];
  const failed: { readonly name: string; readonly cause: unknown }[] = [];
  for (const name of names) {
    if (name === "") continue;
    try {
      secrets.push(await fetch(name));
    } catch (cause) {
      failed.push({ name, cause });
    }
  }
  const list = failed.map(({ name }) => name).join(", ");
  const warning = {
    reason: "FailedToRetrieveImagePullSecret",
    message: `Unable to retrieve some image pull secrets (${list}); attempting to pull the image may not succeed.`,
  };
  return { secrets, failed, warning: failed.length === 0 ? undefined : warning };
}

function addSecret(
  keyring: Keyring,
  { uid, namespace, name }: PullSecret,
  { bytes, format }: SecretVerdict & { readonly usable: true },
): void {
  keyring.add(decode(bytes, format), {
    kind: "secret",
    label: `Secret ${namespace}/${name}`,
    owner: { secret: { uid, namespace, name } },
  });
}

function decode(bytes: Uint8Array, format: DockerFormat): ReturnType<typeof decodeDocument> {
  try {
    return decodeDocument(bytes, format);
  } catch (cause) {
    if (!(cause instanceof GoError)) throw cause;
    throw new CredentialsError("CONFIG_INVALID", cause.message, { cause });
  }
}
