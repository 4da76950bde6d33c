import {
  type Digest,
  type ImageSource,
  parseImageConfig,
  parseManifest,
  readContent,
} from "../../oci/index.ts";
import { findDocument } from "../find-document.ts";
import { localPlatform } from "../settings.ts";

const ANNOTATION = "org.opencontainers.image.created";

/** When an image says it was made; `undefined` where it doesn't say, or isn't there any more. */
export async function createdAt(
  source: ImageSource,
  digest: Digest,
  options: { readonly signal: AbortSignal },
): Promise<string | undefined> {
  try {
    const platform = localPlatform();
    const { descriptor, bytes } = await findDocument(source, digest, { ...options, platform });
    const document = parseManifest(bytes, { mediaType: descriptor.mediaType });
    const annotated = document.annotations?.[ANNOTATION];
    if (annotated !== undefined || document.kind !== "manifest") return annotated;
    return parseImageConfig(await readContent(source, document.config, options)).created;
  } catch {
    options.signal.throwIfAborted();
    // An old digest may have been collected; that it moved is worth saying all the same.
    return undefined;
  }
}
