/** Names of annotations that tools agree on. */
export const ANNOTATIONS = {
  created: "org.opencontainers.image.created",
  authors: "org.opencontainers.image.authors",
  url: "org.opencontainers.image.url",
  documentation: "org.opencontainers.image.documentation",
  source: "org.opencontainers.image.source",
  version: "org.opencontainers.image.version",
  revision: "org.opencontainers.image.revision",
  vendor: "org.opencontainers.image.vendor",
  licenses: "org.opencontainers.image.licenses",
  refName: "org.opencontainers.image.ref.name",
  title: "org.opencontainers.image.title",
  description: "org.opencontainers.image.description",
  baseDigest: "org.opencontainers.image.base.digest",
  baseName: "org.opencontainers.image.base.name",
  /** The full reference of an image in an archive. */
  containerdName: "io.containerd.image.name",
  /** BuildKit's mark on attestations inside an index, and the manifest they are about. */
  attestationType: "vnd.docker.reference.type",
  attestationSubject: "vnd.docker.reference.digest",
} as const;

const REF_NAME_SEPARATOR = /^(?:--|[-._:@+/])$/;

/**
 * Whether `text` may be a `ref.name` in a layout's index: runs of letters and digits, joined by one of `- . _ : @ +`,
 * by `--` or by `/`.
 */
export function isRefName(text: string): boolean {
  const separators = text.split(/[A-Za-z0-9]+/);
  const first = separators.shift();
  const last = separators.pop();
  return first === "" && last === "" && separators.every((separator) => REF_NAME_SEPARATOR.test(separator));
}
