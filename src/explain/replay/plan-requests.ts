/** What a pull would ask for first, said instead of sent. */
import { objectOf } from "../../images/index.ts";
import type { Reference } from "../../reference/index.ts";
import type { HostTrace, PlannedRequest, TriedCredential } from "../trace.ts";

/** Each host in turn, as each who may ask. */
export function planRequests(
  reference: Reference,
  { hosts, order }: { readonly hosts: readonly HostTrace[]; readonly order: readonly TriedCredential[] },
): readonly PlannedRequest[] {
  const labels = order.length === 0 ? ["anonymous"] : order.map(({ label }) => label);
  const able = hosts.filter(({ capabilities }) => capabilities.includes("resolve"));
  return labels.flatMap((as) =>
    able.map(({ url, role }) => {
      // A mirror is told whose image it is.
      const of = role === "mirror" ? `?ns=${encodeURIComponent(reference.domain)}` : "";
      return { as, method: "HEAD", url: `${url}/${reference.path}/manifests/${objectOf(reference)}${of}` };
    }),
  );
}
