/** `manifest.json` of a Docker archive: a list of `{Config, RepoTags, Layers}`, with paths inside the archive. */
import { type Digest, parseImageConfig } from "../oci/index.ts";
import { familiarString, parseReference } from "../reference/index.ts";
import { ArchiveError } from "./errors.ts";
import { isObject, parseJson } from "./layout-index.ts";
import { invalid, MAX_DOCUMENT } from "./tar-file.ts";

export const DOCKER_MANIFEST = "manifest.json";

const MAX_IMAGES = 10_000;
const MAX_LAYERS = 1000;

export interface DockerImage {
  readonly config: string;
  readonly repoTags: readonly string[];
  readonly layers: readonly string[];
}

/**
 * @throws ArchiveError `ARCHIVE_INVALID`
 */
export function parseDockerManifest(bytes: Buffer, label: string): readonly DockerImage[] {
  const list = parseJson(bytes, DOCKER_MANIFEST, label);
  if (!Array.isArray(list)) throw invalid(label, "its manifest.json is not a list");
  if (list.length > MAX_IMAGES) throw invalid(label, `it holds more than ${MAX_IMAGES} images`);
  return list.map((item: unknown) => {
    if (!isObject(item)) throw invalid(label, "an image of its manifest.json is not an object");
    const { Config: config, RepoTags: repoTags, Layers: layers } = item;
    if (typeof config !== "string" || config === "") {
      throw invalid(label, "an image of its manifest.json has no Config");
    }
    if (!isTexts(repoTags ?? []))
      throw invalid(label, "RepoTags of its manifest.json is not a list of names");
    if (!isTexts(layers ?? [])) throw invalid(label, "Layers of its manifest.json is not a list of paths");
    if (((layers ?? []) as string[]).length > MAX_LAYERS) {
      throw invalid(label, `an image of its manifest.json has more than ${MAX_LAYERS} layers`);
    }
    return { config, repoTags: (repoTags ?? []) as string[], layers: (layers ?? []) as string[] };
  });
}

export function formatDockerManifest(images: readonly DockerImage[]): Buffer {
  return Buffer.from(
    JSON.stringify(
      images.map(({ config, repoTags, layers }) => ({
        Config: config,
        RepoTags: repoTags.length === 0 ? null : repoTags,
        Layers: layers,
      })),
    ),
  );
}

/**
 * The diff IDs an image config states.
 *
 * @throws ArchiveError `ARCHIVE_INVALID`
 */
export function readDiffIds(config: Buffer, label: string): readonly Digest[] {
  try {
    return parseImageConfig(config, { limit: MAX_DOCUMENT }).diffIds;
  } catch (error) {
    throw invalid(label, error instanceof Error ? error.message : "an image config is invalid", error);
  }
}

/**
 * A name as `docker save` writes it: familiar, with a tag. `undefined` for a name that is only a digest.
 *
 * @throws ArchiveError `REFERENCE_INVALID`
 */
export function repoTag(reference: string): string | undefined {
  try {
    const { digest, ...named } = parseReference(reference);
    if (named.tag === undefined && digest !== undefined) return undefined;
    return familiarString({ ...named, tag: named.tag ?? "latest" });
  } catch (error) {
    const shown = JSON.stringify(reference.slice(0, 100));
    throw new ArchiveError("REFERENCE_INVALID", `Cannot record the name ${shown}: it is not an image name`, {
      cause: error,
    });
  }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
