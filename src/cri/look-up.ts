import { goQuote } from "../internal/go/quote.ts";
import { isDigest } from "../oci/index.ts";
import { formatReference, InvalidReferenceError, parseDockerRef } from "../reference/index.ts";
import { CriError } from "./errors.ts";

export interface Findable {
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
}

/**
 * Finds an image as containerd does: a digest is an id; a name is completed first; what is no name that is here may be
 * an id without its algorithm, or the beginning of one.
 *
 * @throws CriError `IMAGE_AMBIGUOUS`
 */
export function lookUp<I extends Findable>(images: readonly I[], text: string): I | undefined {
  if (text === "") return undefined;
  if (isDigest(text)) return images.find(({ id }) => id === text);
  const name = completeName(text);
  const named = images.find(
    ({ repoTags, repoDigests }) =>
      name !== undefined && (repoTags.includes(name) || repoDigests.includes(name)),
  );
  return named ?? byBeginning(images, text);
}

/** The full form of a name, without the tag where a digest decides; `undefined` for what is no name. */
export function completeName(text: string): string | undefined {
  try {
    return formatReference(parseDockerRef(text));
  } catch (error) {
    if (error instanceof InvalidReferenceError) return undefined;
    throw error;
  }
}

function byBeginning<I extends Findable>(images: readonly I[], text: string): I | undefined {
  const colon = text.indexOf(":");
  // An algorithm alone begins no id.
  if (colon === text.length - 1) return undefined;
  const begins = images.filter(({ id }) =>
    (colon === -1 ? id.slice(id.indexOf(":") + 1) : id).startsWith(text),
  );
  if (begins.length < 2) return begins[0];
  throw new CriError(
    "IMAGE_AMBIGUOUS",
    `Cannot find image ${goQuote(text)}: the ids of ${begins.length} images begin like that`,
  );
}
