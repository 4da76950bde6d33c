import type { Secret } from "../../internal/secret.ts";
import type { CredentialCandidate, CredentialOrigin } from "../credential.ts";
import { hashAuthConfig } from "./auth-config.ts";
import type { DockerEntry } from "./docker-entry.ts";

/** One object of the API, in a life of its own. */
export interface Coordinates {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
}

/** Whose a credential is; one without an owner is open to every Pod of the node. */
export type CredentialOwner =
  | { readonly secret: Coordinates; readonly serviceAccount?: undefined }
  | { readonly serviceAccount: Coordinates; readonly secret?: undefined };

/** A credential that can be recognised later without being kept. */
export interface TrackedCredential {
  readonly username: string;
  readonly password: Secret;
  readonly email: string;
  readonly owner: CredentialOwner | undefined;
  /** Empty when credentials aren't tracked. */
  readonly hash: string;
  /** Where exactly it was found, in words that are safe to print. */
  readonly origin: CredentialOrigin;
}

/** What the document an entry stands in says of it. */
export interface DocumentOrigin extends CredentialOrigin {
  readonly owner?: CredentialOwner | undefined;
}

/** `track` is what the kubelet's gate KubeletEnsureSecretPulledImages decides. */
export function trackCredential(
  key: string,
  entry: DockerEntry,
  { origin, track }: { readonly origin: DocumentOrigin; readonly track: boolean },
): TrackedCredential {
  return {
    username: entry.username,
    password: entry.password,
    email: entry.email,
    owner: track ? origin.owner : undefined,
    hash: track ? hashAuthConfig(entry) : "",
    origin: { kind: origin.kind, label: `${origin.label}, auths["${key}"]` },
  };
}

/** As the client tries it; undefined for one that a runtime takes for anonymous. */
export function toCandidate({
  username,
  password,
  origin,
}: TrackedCredential): CredentialCandidate | undefined {
  if (username === "") return undefined;
  return { credential: { kind: "basic", username, password }, origin };
}
