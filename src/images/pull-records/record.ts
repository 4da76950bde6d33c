/** What the kubelet keeps about the images it pulled: an intent while it pulls, a record once it has. */

/** A pull that began. It stays behind when we are stopped in the middle. */
export interface ImagePullIntent {
  /** The Pod's own text. */
  readonly image: string;
}

export interface ImagePullSecret {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** Of the one entry of the Secret that pulled the image, not of the whole Secret. */
  readonly credentialHash: string;
}

export interface ImagePullServiceAccount {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
}

/** Who may use an image under one name: every Pod of the node, or those who show one of these. */
export interface ImagePullCredentials {
  readonly kubernetesSecrets?: readonly ImagePullSecret[] | undefined;
  readonly kubernetesServiceAccounts?: readonly ImagePullServiceAccount[] | undefined;
  readonly nodePodsAccessible?: boolean | undefined;
}

export interface ImagePulledRecord {
  /** Milliseconds since the epoch; `undefined` where the file has null. */
  readonly lastUpdatedTime: number | undefined;
  /** The runtime's id of the image. */
  readonly imageRef: string;
  /** By the Pods' name of the image, without tag and digest. Empty: pulled by us, nobody knows with what. */
  readonly credentialMapping: ReadonlyMap<string, ImagePullCredentials>;
}
