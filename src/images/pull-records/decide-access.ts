/**
 * May this Pod use an image that is here? The kubelet's rules, as values: what is known goes in, a decision with its
 * reason comes out. Credentials cost a lookup, so the rules stop and ask for them only where they matter.
 */
import { ImagesError } from "../errors.ts";
import { trimImageTagDigest } from "../trim-image.ts";
import type { VerificationPolicy, VerificationVerdict } from "../verification-policy.ts";
import { sameCoordinates } from "./merge.ts";
import type {
  ImagePullCredentials,
  ImagePulledRecord,
  ImagePullSecret,
  ImagePullServiceAccount,
} from "./record.ts";

/** What a Pod can show, in the order in which it would be tried. */
export interface PodCredentials {
  readonly secrets: readonly ImagePullSecret[];
  readonly serviceAccount?: ImagePullServiceAccount | undefined;
}

/** The label a decision is counted under; an absent image isn't counted. */
export type AccessResult = "credentialPolicyAllowed" | "credentialRecordFound" | "mustAuthenticate" | "error";

export type AccessReason =
  | "image-absent"
  | "record-unreadable"
  | "policy-allows"
  | "no-record"
  | "name-invalid"
  | "name-not-recorded"
  | "open-to-node"
  | "credentials-unknown"
  | "credentials-unavailable"
  | "secret-hash-recorded"
  | "secret-recorded"
  | "service-account-recorded"
  | "credentials-not-recorded";

/** Whether the Pod must pull the image, present or not, and why. */
export interface AccessDecision {
  readonly mustPull: boolean;
  readonly because: AccessReason;
  readonly result: AccessResult | undefined;
  /** What the policy said, once it was asked. */
  readonly verification?: VerificationVerdict | undefined;
  /** The one that was recognised. */
  readonly secret?: ImagePullSecret | undefined;
  readonly serviceAccount?: ImagePullServiceAccount | undefined;
  /** A secret to be added to the record, so that it is recognised at once the next time. */
  readonly learn?: ImagePullSecret | undefined;
  readonly cause?: unknown;
}

/** The rules came to where the Pod's credentials decide. */
export interface CredentialsWanted {
  readonly entry: ImagePullCredentials;
  readonly verification: VerificationVerdict;
}

/** With this many secrets recorded for a name, no more are learnt from Pods. */
const MOST_SECRETS = 100;

/** All rules that need no credentials. */
export function decideWithoutCredentials(facts: {
  readonly image: string;
  readonly policy: VerificationPolicy;
  readonly record: ImagePulledRecord | undefined;
  /** Whether a pull of this image is under way, or was cut off. */
  readonly intended: boolean;
}): AccessDecision | CredentialsWanted {
  const { image, policy, record, intended } = facts;
  const verification = policy.judge(image, record !== undefined || intended);
  const decide = (mustPull: boolean, because: AccessReason, result: AccessResult): AccessDecision => ({
    mustPull,
    because,
    result,
    verification,
  });
  if (!verification.required) return decide(false, "policy-allows", "credentialPolicyAllowed");
  if (record === undefined) return decide(true, "no-record", "mustAuthenticate");
  let name: string;
  try {
    name = trimImageTagDigest(image);
  } catch (error) {
    if (!(error instanceof ImagesError)) throw error;
    return { ...decide(true, "name-invalid", "error"), cause: error };
  }
  const entry = record.credentialMapping.get(name);
  if (entry === undefined) return decide(true, "name-not-recorded", "mustAuthenticate");
  if (entry.nodePodsAccessible === true) return decide(false, "open-to-node", "credentialRecordFound");
  const { kubernetesSecrets: secrets = [], kubernetesServiceAccounts: accounts = [] } = entry;
  if (secrets.length + accounts.length === 0) return decide(true, "credentials-unknown", "mustAuthenticate");
  return { entry, verification };
}

/** The rest of the rules: do the Pod's credentials match what is recorded? */
export function decideByCredentials(wanted: CredentialsWanted, shown: PodCredentials): AccessDecision {
  const { entry, verification } = wanted;
  const { kubernetesSecrets: secrets = [], kubernetesServiceAccounts: accounts = [] } = entry;
  const found = { mustPull: false, result: "credentialRecordFound", verification } as const;
  const mayLearn = secrets.length < MOST_SECRETS;
  for (const secret of shown.secrets) {
    for (const recorded of secrets) {
      const same = sameCoordinates(secret, recorded);
      if (recorded.credentialHash !== "" && recorded.credentialHash === secret.credentialHash) {
        const learn = !same && mayLearn ? secret : undefined;
        return { ...found, because: "secret-hash-recorded", secret, learn };
      }
      // The Secret that once pulled the image is trusted with new content, too: it is the tenant's own.
      if (same && mayLearn) return { ...found, because: "secret-recorded", secret, learn: secret };
    }
  }
  const { serviceAccount } = shown;
  if (serviceAccount !== undefined && accounts.some((account) => sameCoordinates(account, serviceAccount))) {
    return { ...found, because: "service-account-recorded", serviceAccount };
  }
  return { mustPull: true, because: "credentials-not-recorded", result: "mustAuthenticate", verification };
}
