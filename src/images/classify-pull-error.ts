/** Why a container waits, in the kubelet's words. */
export type KnownReason =
  | "InvalidImageName"
  | "ImageInspectError"
  | "ErrImageNeverPull"
  | "ImagePullBackOff"
  | "ErrImagePull"
  | "RegistryUnavailable"
  | "SignatureValidationFailed";

/** Where an error has no identity of its own, its text is the reason. */
export type FailureReason = KnownReason | (string & {});

const PREFIXES = [
  { prefix: "RegistryUnavailable", why: "the registry is unavailable" },
  { prefix: "SignatureValidationFailed", why: "the signature validation failed" },
] as const;

/** Two kinds of failure are known by how their text begins; everything else is a plain failed pull. */
export function classifyPullError(
  text: string,
  image: string,
): { readonly reason: KnownReason; readonly message: string } {
  for (const { prefix, why } of PREFIXES) {
    if (!text.startsWith(prefix)) continue;
    return {
      reason: prefix,
      message: `image pull failed for ${image} because ${why}${text.slice(prefix.length)}`,
    };
  }
  return { reason: "ErrImagePull", message: text };
}
