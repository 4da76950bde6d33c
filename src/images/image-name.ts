import { DEFAULT_TAG, InvalidReferenceError, parseReference } from "../reference/index.ts";
import type { InvalidReferenceErrorCode, Reference } from "../reference/index.ts";
import { ImagesError } from "./errors.ts";
import { referenceFault } from "./trim-image.ts";
import { goQuote } from "../internal/go/quote.ts";

/**
 * Reads the image text of a Pod: completed with Docker Hub's domain, and with the tag `latest` where neither tag
 * nor digest is given.
 *
 * @throws ImagesError `IMAGE_NAME_INVALID` with the kubelet's message
 */
export function parseImageName(image: string): Reference {
  try {
    const reference = parseReference(image);
    if (reference.tag !== undefined || reference.digest !== undefined) return reference;
    return { ...reference, tag: DEFAULT_TAG };
  } catch (error) {
    if (!(error instanceof InvalidReferenceError)) throw error;
    const message = `couldn't parse image name ${goQuote(image)}: ${explain(error.code, image)}`;
    throw new ImagesError("IMAGE_NAME_INVALID", message, { cause: error });
  }
}

/**
 * The text with `:latest` added where it has neither tag nor digest; otherwise exactly as it is, since messages and
 * records keep the Pod's own spelling.
 *
 * @throws ImagesError `IMAGE_NAME_INVALID`
 */
export function applyDefaultImageTag(image: string): string {
  const { tag, digest } = parseImageName(image);
  if (digest !== undefined || tag === undefined || image.endsWith(`:${tag}`)) return image;
  return `${image}:${tag}`;
}

function explain(code: InvalidReferenceErrorCode, image: string): string {
  if (code === "IDENTIFIER_NOT_ALLOWED") {
    return `invalid repository name (${image}), cannot specify 64-byte hexadecimal strings`;
  }
  const remote = remoteName(image);
  if (remote.toLowerCase() !== remote) {
    return `invalid reference format: repository name (${remote}) must be lowercase`;
  }
  return referenceFault(code);
}

/** The repository as Kubernetes quotes it: behind the registry, Docker Hub's `library/` added, up to the first colon. */
function remoteName(image: string): string {
  const slash = image.indexOf("/");
  const first = slash < 0 ? "" : image.slice(0, slash);
  const isHost = slash >= 0 && (first === "localhost" || /[.:]/.test(first) || first.toLowerCase() !== first);
  let remainder = isHost ? image.slice(slash + 1) : image;
  const onHub = !isHost || first === "docker.io" || first === "index.docker.io";
  if (onHub && !remainder.includes("/")) remainder = `library/${remainder}`;
  const colon = remainder.indexOf(":");
  return colon < 0 ? remainder : remainder.slice(0, colon);
}
