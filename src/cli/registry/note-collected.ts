import type { CollectResult, Operations } from "../../registry/index.ts";

/** Writes down in the audit log what a collection took, repository by repository. */
export async function noteCollected(
  audit: Operations["audit"],
  { retained, collected }: CollectResult,
): Promise<void> {
  if (audit === undefined) return;
  for (const [repository, { tags, manifests }] of retained?.repositories ?? []) {
    await audit.note({
      action: "retain",
      repository,
      reason: `${tags} tags and ${manifests} manifests went`,
    });
  }
  for (const [repository, { count, bytes }] of collected.repositories) {
    await audit.note({ action: "collect", repository, size: bytes, reason: `${count} blobs went` });
  }
}
