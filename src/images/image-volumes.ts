/** Image volumes: ensured once for a Pod, then looked up by each container that mounts them. */
import type { EnsureFailure, EnsureOutcome } from "./ensure.ts";
import type { Annotation } from "./image-service.ts";

/** An image volume of a Pod; other kinds of volume have no `image`. */
export interface ImageVolume {
  readonly name: string;
  readonly image?: { readonly reference: string; readonly pullPolicy: string } | undefined;
}

/** The image to mount, as the runtime is told of it. */
export interface VolumeImage {
  /** The id that ensuring gave. */
  readonly image: string;
  /** The volume's own text. */
  readonly userSpecifiedImage: string;
  readonly runtimeHandler: string;
  readonly annotations: readonly Annotation[];
}

export type VolumeResult = { readonly image: VolumeImage } | { readonly failure: EnsureFailure };

export type VolumeResults = ReadonlyMap<string, VolumeResult>;

/** Ensures the images of all image volumes, one after the other; a failed one doesn't hold the next. */
export async function ensureImageVolumes(
  volumes: Iterable<ImageVolume>,
  options: {
    readonly ensure: (image: string, policy: string) => Promise<EnsureOutcome>;
    readonly annotations?: readonly Annotation[] | undefined;
    readonly runtimeHandler?: string | undefined;
  },
): Promise<VolumeResults> {
  const { annotations = [], runtimeHandler = "" } = options;
  const results = new Map<string, VolumeResult>();
  for (const { name, image } of volumes) {
    if (image === undefined) continue;
    const outcome = await options.ensure(image.reference, image.pullPolicy);
    if (outcome.state === "failed") {
      results.set(name, { failure: outcome });
      continue;
    }
    const mounted = { userSpecifiedImage: image.reference, runtimeHandler, annotations };
    results.set(name, { image: { image: outcome.imageRef, ...mounted } });
  }
  return results;
}

/** What a container mounts, or why it can't start. */
export type ContainerImageVolumes =
  | { readonly state: "mountable"; readonly images: ReadonlyMap<string, VolumeImage> }
  /** `events` are messages of Warnings `Failed`, one for each mount that failed; the last mount's failure counts. */
  | { readonly state: "failed"; readonly failure: EnsureFailure; readonly events: readonly string[] };

/** `undefined` for a Pod without image volumes. */
export function imageVolumesOf(
  mounts: Iterable<string>,
  results: VolumeResults,
): ContainerImageVolumes | undefined {
  if (results.size === 0) return undefined;
  const images = new Map<string, VolumeImage>();
  const failures: EnsureFailure[] = [];
  for (const name of mounts) {
    const result = results.get(name);
    if (result === undefined) continue;
    if ("failure" in result) failures.push(result.failure);
    else images.set(name, result.image);
  }
  const failure = failures.at(-1);
  if (failure === undefined) return { state: "mountable", images };
  return { state: "failed", failure, events: failures.map(({ reason }) => `Error: ${reason}`) };
}
