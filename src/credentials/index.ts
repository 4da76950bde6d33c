/** Who are we to this repository? */
export { type Credential, type CredentialCandidate, type CredentialOrigin } from "./credential.ts";
export { type CredentialSource, type CredentialTarget } from "./credential.ts";
export { Secret } from "../internal/secret.ts";
