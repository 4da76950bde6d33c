import { type ImageKeyring, Keyring, secretsKeyring, type TrackedCredential } from "../credentials/index.ts";
import { repositoryName } from "../reference/index.ts";
import type { EnsurePod, EnsureRequest } from "./ensure.ts";
import { parseImageName } from "./image-name.ts";
import type { PodCredentials } from "./pull-records/decide-access.ts";
import type { ImagePullCredentials, ImagePullSecret } from "./pull-records/record.ts";

/** What the node itself has for a Pod's pulls: its files first, then what its providers answer. */
export type NodeKeyring = (pod: EnsurePod | undefined) => ImageKeyring;

export interface LookupOptions {
  readonly keyring: NodeKeyring | undefined;
  /** Whether credentials are remembered by hash and owner. */
  readonly track: boolean;
}

/**
 * The credentials of a Pod for an image: those of its Secrets, then the node's. `undefined` when nobody here was given
 * any to look in.
 *
 * @throws CredentialsError for a Secret that can't be read; its message is the kubelet's
 */
export async function lookUpCredentials(
  request: EnsureRequest,
  tagged: string,
  options: LookupOptions,
): Promise<readonly TrackedCredential[] | undefined> {
  const repository = repositoryName(parseImageName(tagged));
  const { keyring, track } = options;
  if (keyring === undefined && request.pullSecrets === undefined) return undefined;
  const ofNode = keyring?.(request.pod) ?? new Keyring();
  const ofPod = secretsKeyring(request.pullSecrets ?? [], ofNode, { track });
  const { credentials } = await ofPod.lookup(repository, { signal: request.signal });
  return credentials;
}

/** What of a Pod's credentials can be known again: those of its Secrets, and of its first ServiceAccount. */
export function showCredentials(credentials: readonly TrackedCredential[]): PodCredentials {
  const secrets = credentials.flatMap(({ owner, hash }): ImagePullSecret[] =>
    owner?.secret === undefined ? [] : [{ ...owner.secret, credentialHash: hash }],
  );
  const account = credentials.find(({ owner }) => owner?.serviceAccount !== undefined)?.owner?.serviceAccount;
  return { secrets, serviceAccount: account };
}

/** What a record says of the credential that pulled: nobody's own, or none, opens the image to the whole node. */
export function recordCredential(credential: TrackedCredential | undefined): ImagePullCredentials {
  const owner = credential?.owner;
  if (credential !== undefined && owner?.secret !== undefined) {
    return { kubernetesSecrets: [{ ...owner.secret, credentialHash: credential.hash }] };
  }
  if (owner?.serviceAccount !== undefined) return { kubernetesServiceAccounts: [owner.serviceAccount] };
  return { nodePodsAccessible: true };
}
