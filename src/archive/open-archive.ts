import { DockerArchive } from "./docker-archive.ts";
import { DOCKER_MANIFEST } from "./docker-manifest.ts";
import { LAYOUT_MARK } from "./layout-index.ts";
import { OciArchive } from "./oci-archive.ts";
import { type ArchiveInput, type ArchiveInputOptions, invalid, TarFile } from "./tar-file.ts";

/**
 * Opens a tar of either form; one that is both (newer `docker save`) is read as OCI, which has the real manifests.
 * The caller closes it.
 *
 * @throws ArchiveError `ARCHIVE_UNKNOWN`, `ARCHIVE_INVALID`, `ARCHIVE_UNSUPPORTED`, `UNREADABLE`
 */
export async function openArchive(
  input: ArchiveInput,
  options: ArchiveInputOptions = {},
): Promise<OciArchive | DockerArchive> {
  const tar = await TarFile.open(input, options);
  if (tar.find(LAYOUT_MARK) !== undefined) return OciArchive.from(tar);
  if (tar.find(DOCKER_MANIFEST) !== undefined) return DockerArchive.from(tar);
  await tar.close();
  throw invalid(tar.label, "it holds neither oci-layout nor manifest.json, so it is no archive of images");
}

/** Opens a tar as an OCI archive; the caller closes it. Throws as {@link openArchive}. */
export async function openOciArchive(
  input: ArchiveInput,
  options: ArchiveInputOptions = {},
): Promise<OciArchive> {
  return OciArchive.from(await TarFile.open(input, options));
}

/** Opens a tar as a Docker archive; the caller closes it. Throws as {@link openArchive}. */
export async function openDockerArchive(
  input: ArchiveInput,
  options: ArchiveInputOptions = {},
): Promise<DockerArchive> {
  return DockerArchive.from(await TarFile.open(input, options));
}
