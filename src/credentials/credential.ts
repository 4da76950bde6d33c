import type { Secret } from "../internal/secret.ts";

/** What a registry or its token service is shown. */
export type Credential =
  | { readonly kind: "basic"; readonly username: string; readonly password: Secret }
  /** A refresh token: exchanged at the token service, never sent to the registry. */
  | { readonly kind: "identity-token"; readonly token: Secret }
  /** A ready-made registry token: sent as Bearer without any exchange. */
  | { readonly kind: "registry-token"; readonly token: Secret };

/** Where a credential came from, in words that are safe to print. */
export interface CredentialOrigin {
  readonly kind: "file" | "helper" | "secret" | "provider" | "argument" | "extension";
  /** `/root/.docker/config.json, auths["ghcr.io"]`, `Secret team-a/pull`, `docker-credential-pass`… */
  readonly label: string;
}

export interface CredentialCandidate {
  readonly credential: Credential;
  readonly origin: CredentialOrigin;
}

/** What a credential is wanted for. */
export interface CredentialTarget {
  /** The registry as the image name spells it, with its port: `docker.io`, `localhost:5000`. */
  readonly host: string;
  /** The repository inside it, when known: `library/ubuntu`. */
  readonly repository?: string | undefined;
}

/** Answers "who are we to this repository?" with candidates in the order they should be tried; none is anonymous. */
export interface CredentialSource {
  find(
    target: CredentialTarget,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<readonly CredentialCandidate[]>;
}
