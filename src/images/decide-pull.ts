import type { AccessDecision } from "./pull-records/decide-access.ts";

/** `Always`, `IfNotPresent`, `Never`; a Pod made without validation may hold any other text, which pulls. */
export type PullPolicy = "Always" | "IfNotPresent" | "Never" | (string & {});

/** What to do about an image, and the rule that says so. */
export type PullDecision =
  | { readonly action: "pull"; readonly because: "policy-always" | "absent" | "policy-unknown" }
  | { readonly action: "pull"; readonly because: "access-unproven"; readonly access: AccessDecision }
  | { readonly action: "use"; readonly because: "present"; readonly access?: AccessDecision | undefined }
  | { readonly action: "refuse"; readonly because: "never-and-absent" }
  | { readonly action: "refuse"; readonly because: "never-and-unproven"; readonly access: AccessDecision };

/** Whether deciding needs to know that the image is here; asking costs a call to the runtime. */
export function needsPresence(policy: PullPolicy): boolean {
  return policy === "IfNotPresent" || policy === "Never";
}

/**
 * The kubelet's rule. `present` is read only where {@link needsPresence} says so, `access` only for an image that is
 * present; without it, an image that is here is everybody's.
 */
export function decidePull({
  policy,
  present,
  access,
}: {
  readonly policy: PullPolicy;
  readonly present: boolean;
  readonly access?: AccessDecision | undefined;
}): PullDecision {
  if (policy === "Always") return { action: "pull", because: "policy-always" };
  if (!needsPresence(policy)) return { action: "pull", because: "policy-unknown" };
  if (!present) {
    return policy === "Never"
      ? { action: "refuse", because: "never-and-absent" }
      : { action: "pull", because: "absent" };
  }
  if (access === undefined) return { action: "use", because: "present" };
  if (!access.mustPull) return { action: "use", because: "present", access };
  // The Pod is told the same as of an absent image: that it is here is not for everybody to know.
  return policy === "Never"
    ? { action: "refuse", because: "never-and-unproven", access }
    : { action: "pull", because: "access-unproven", access };
}
