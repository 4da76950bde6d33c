import type { HostCapability } from "./host.ts";

/** Whether a host may be asked for all of these. */
export function hasCapability(
  capabilities: Iterable<HostCapability>,
  required: readonly HostCapability[],
): boolean {
  const held = new Set(capabilities);
  return required.every((capability) => held.has(capability));
}
