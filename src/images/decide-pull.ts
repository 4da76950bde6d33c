/** `Always`, `IfNotPresent`, `Never`; a Pod made without validation may hold any other text, which pulls. */
export type PullPolicy = "Always" | "IfNotPresent" | "Never" | (string & {});

/** What to do about an image, and the rule that says so. */
export type PullDecision =
  | { readonly action: "pull"; readonly because: "policy-always" | "absent" | "policy-unknown" }
  | { readonly action: "use"; readonly because: "present" }
  | { readonly action: "refuse"; readonly because: "never-and-absent" };

/** Whether deciding needs to know that the image is here; asking costs a call to the runtime. */
export function needsPresence(policy: PullPolicy): boolean {
  return policy === "IfNotPresent" || policy === "Never";
}

/** The kubelet's rule. `present` is read only where {@link needsPresence} says so. */
export function decidePull({
  policy,
  present,
}: {
  readonly policy: PullPolicy;
  readonly present: boolean;
}): PullDecision {
  if (policy === "Always") return { action: "pull", because: "policy-always" };
  if (!needsPresence(policy)) return { action: "pull", because: "policy-unknown" };
  if (present) return { action: "use", because: "present" };
  return policy === "Never"
    ? { action: "refuse", because: "never-and-absent" }
    : { action: "pull", because: "absent" };
}
