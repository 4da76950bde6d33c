/** Looks tags up in registries as the Pod that names them would: its Secrets first, then what nodes have. */
import type {
  DigestAnswer,
  DigestFailure,
  DigestFailureCode,
  DigestQuestion,
} from "../../admission/index.ts";
import type { DigestResolver } from "../../admission/index.ts";
import { ClientError } from "../../client/index.ts";
import {
  CredentialsError,
  Keyring,
  type PullSecret,
  secretsKeyring,
  type TrackedCredential,
} from "../../credentials/index.ts";
import type { NodeKeyring } from "../../images/index.ts";
import type { ImageSource } from "../../oci/index.ts";
import { parseReference, type Reference, repositoryName } from "../../reference/index.ts";
import { describeError } from "../report-error.ts";
import type { PullObjects } from "./pull-objects.ts";

export interface RegistryDigestsOptions {
  readonly objects: PullObjects;
  /** What nodes have themselves: files, providers. */
  readonly keyring: NodeKeyring;
  /** A repository, as this credential's owner; as nobody without. */
  readonly repository: (
    reference: Reference,
    credential: TrackedCredential | null,
  ) => Pick<ImageSource, "resolve">;
}

export class RegistryDigests implements DigestResolver {
  readonly #options: RegistryDigestsOptions;

  constructor(options: RegistryDigestsOptions) {
    this.#options = options;
  }

  async resolve(
    question: DigestQuestion,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<DigestAnswer> {
    const reference = parseReference(question.image);
    try {
      const { secrets, missing } = await this.#findSecrets(question, signal);
      const credentials = await this.#lookUp(question, { secrets, reference, signal });
      return await this.#tryAll(reference, { credentials, missing, signal });
    } catch (error) {
      signal.throwIfAborted();
      // An API server that can't be asked, or a Secret that can't be read.
      const code = error instanceof CredentialsError ? "DENIED" : "UNREACHABLE";
      return { failure: { code, message: describeError(error).message } };
    }
  }

  /** Those of the Pod, or of its account where it names none; Secrets that aren't there don't count. */
  async #findSecrets(
    { namespace, imagePullSecrets, serviceAccountName }: DigestQuestion,
    signal: AbortSignal,
  ): Promise<{ readonly secrets: readonly PullSecret[]; readonly missing: readonly string[] }> {
    const { objects } = this.#options;
    const named =
      imagePullSecrets.length > 0
        ? imagePullSecrets
        : ((await objects.accountSecrets({ namespace, name: serviceAccountName }, { signal })) ?? []);
    const names = [...new Set(named)].filter((name) => name !== "");
    const found = await Promise.all(names.map((name) => objects.secret({ namespace, name }, { signal })));
    return {
      secrets: found.filter((secret) => secret !== undefined),
      missing: names.filter((_, index) => found[index] === undefined),
    };
  }

  async #lookUp(
    { namespace, serviceAccountName }: DigestQuestion,
    work: {
      readonly secrets: readonly PullSecret[];
      readonly reference: Reference;
      readonly signal: AbortSignal;
    },
  ): Promise<readonly TrackedCredential[]> {
    const { secrets, reference, signal } = work;
    // The Pod has no life of its own yet.
    const ofNode = this.#options.keyring({ name: "", namespace, uid: "", serviceAccountName });
    const keyring = secretsKeyring(secrets, ofNode ?? new Keyring(), { track: true });
    const { credentials } = await keyring.lookup(repositoryName(reference), { signal });
    return credentials;
  }

  /** In their order; nobody's only where there are none, as a node would pull. */
  async #tryAll(
    reference: Reference,
    work: {
      readonly credentials: readonly TrackedCredential[];
      readonly missing: readonly string[];
      readonly signal: AbortSignal;
    },
  ): Promise<DigestAnswer> {
    const { credentials, missing, signal } = work;
    let worst: DigestFailure | undefined;
    for (const credential of credentials.length === 0 ? [null] : credentials) {
      try {
        const source = this.#options.repository(reference, credential);
        const { digest } = await source.resolve(reference.tag ?? "latest", { signal });
        return { digest, openToAll: credential?.owner === undefined };
      } catch (error) {
        signal.throwIfAborted();
        const failure = toFailure(error);
        // That one credential is refused says less than that the registry is down.
        if (worst === undefined || worst.code === "DENIED") worst = failure;
      }
    }
    const failure = worst ?? { code: "UNREACHABLE", message: "it could not be asked" };
    if (failure.code !== "DENIED" || missing.length === 0) return { failure };
    const secrets = missing.map((name) => JSON.stringify(name)).join(", ");
    return { failure: { ...failure, message: `${failure.message} (there is no Secret ${secrets})` } };
  }
}

const CODES: Readonly<Partial<Record<string, DigestFailureCode>>> = {
  NAME_UNKNOWN: "NOT_FOUND",
  MANIFEST_UNKNOWN: "NOT_FOUND",
  UNAUTHORIZED: "DENIED",
  DENIED: "DENIED",
  TOOMANYREQUESTS: "RATE_LIMITED",
  NETWORK_TIMEOUT: "TIMEOUT",
};

function toFailure(error: unknown): DigestFailure {
  const { message } = describeError(error);
  return { code: (error instanceof ClientError && CODES[error.code]) || "UNREACHABLE", message };
}
