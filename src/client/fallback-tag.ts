/**
 * Where a registry without the referrers API keeps what refers to a manifest: an index under a tag made from the
 * digest. Long algorithms and digests are cut, and what a tag can't have becomes a hyphen.
 */
export function fallbackTag(digest: string): string {
  const colon = digest.indexOf(":");
  const algorithm = digest.slice(0, Math.max(0, colon)).slice(0, 32);
  const encoded = digest.slice(colon + 1).slice(0, 64);
  return `${algorithm}-${encoded}`.replaceAll(/[^A-Za-z0-9._-]/g, "-");
}
