/** Labels by which containerd, its CRI plugin and its garbage collection know what belongs together. */
import {
  childrenOf,
  type Descriptor,
  isImageConfigType,
  isManifestOrIndexType,
  type ManifestOrIndex,
} from "../../oci/index.ts";
import type { Reference } from "../../reference/index.ts";

export type Labels = Readonly<Record<string, string>>;

export const MANAGED = { key: "io.cri-containerd.image", value: "managed" } as const;
export const PINNED = { key: "io.cri-containerd.pinned", value: "pinned" } as const;
/** On a compressed layer: the digest of what is in it. */
export const UNCOMPRESSED = "containerd.io/uncompressed";
/** On a snapshot: the name it was made for. */
export const SNAPSHOT_REF = "containerd.io/snapshot.ref";
/** On a lease: when it ends by itself, RFC 3339. */
export const EXPIRE = "containerd.io/gc.expire";

const CONTENT = "containerd.io/gc.ref.content.";
const LAYER_TYPES = ["application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs."];

/** On a document: what it needs. An index names all its images, whether they are here or not. */
export function childLabels(document: ManifestOrIndex): Labels {
  const labels: Record<string, string> = {};
  const counts = new Map<string, number>();
  for (const child of childrenOf(document)) {
    const kind = childKind(child);
    if (kind === "config") {
      labels[`${CONTENT}config`] = child.digest;
      continue;
    }
    const count = counts.get(kind) ?? 0;
    counts.set(kind, count + 1);
    labels[`${CONTENT}${kind}${count}`] = child.digest;
  }
  return labels;
}

function childKind({ mediaType }: Descriptor): "m." | "l." | "config" | "" {
  if (isManifestOrIndexType(mediaType)) return "m.";
  if (isImageConfigType(mediaType)) return "config";
  return LAYER_TYPES.some((type) => mediaType.startsWith(type)) ? "l." : "";
}

/** On a config: the topmost snapshot of its image. */
export function snapshotLabel(snapshotter: string, chainId: string): Labels {
  return { [`containerd.io/gc.ref.snapshot.${snapshotter}`]: chainId };
}

/** On everything that was fetched: the registry without its port, under which its repositories are listed. */
export function sourceKey({ domain }: Reference): string {
  const host = URL.parse(`dummy://${domain}`)?.hostname ?? domain;
  return `containerd.io/distribution.source.${host}`;
}

/** One repository more, in order. */
export function withRepository(repositories: string | undefined, { path }: Reference): string {
  const known = (repositories ?? "").split(",").filter((name) => name !== "");
  return [...new Set([...known, path])].toSorted().join(",");
}
