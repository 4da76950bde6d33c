/** Rules about images: each looks at one, and says what is wrong with it. */
import { familiarString, type Reference, repositoryName } from "../../reference/index.ts";
import { type ImagePattern, parseImagePattern } from "../image-pattern.ts";

/** An image to be judged. */
export interface JudgedImage {
  /** As it is written. */
  readonly text: string;
  /** Completed with Docker Hub's domain; without a tag where none is written. */
  readonly reference: Reference;
  readonly namespace: string;
  readonly imagePullSecrets: readonly string[];
  readonly serviceAccountName: string;
}

/** One thing to ask of every image; a rule about signatures may ask a registry. */
export interface ImageRule {
  /** As in configuration: `allowed`, `forbidLatest`. */
  readonly name: string;
  /**
   * What is wrong and what to change, to follow `image "…" of container "…" `: `is not from …; …`. Undefined when
   * all is well.
   */
  judge(
    image: JudgedImage,
    options: { readonly signal?: AbortSignal | undefined; readonly deadline?: AbortSignal | undefined },
  ): string | undefined | Promise<string | undefined>;
}

/** How many patterns a refusal lists. */
const SHOWN = 5;

/**
 * Images have to match one of these patterns, and none of those that are denied.
 *
 * @throws AdmissionError for a text that is no pattern
 */
export function allowedImages(allowed: readonly string[], denied: readonly string[] = []): ImageRule {
  const open = allowed.map(parseImagePattern);
  const closed = denied.map(parseImagePattern);
  return {
    name: "allowed",
    judge({ reference }) {
      const refused = closed.find((pattern) => pattern.matches(reference));
      const name = repositoryName(reference);
      if (refused !== undefined)
        return `is denied by the rule ${JSON.stringify(refused.text)}; use another one`;
      if (open.length === 0 || open.some((pattern) => pattern.matches(reference))) return undefined;
      return `comes from ${name}, which is not allowed; use one of ${listPatterns(open)}`;
    },
  };
}

/** Images need a tag that means something: neither none nor `latest`. A digest is as good as one. */
export const forbidLatest: ImageRule = {
  name: "forbidLatest",
  judge({ reference }) {
    const { tag, digest } = reference;
    if (digest !== undefined) return undefined;
    const example = familiarString({ ...reference, tag: "1.2.3" });
    if (tag === undefined) return `has no tag, which means latest; name a version, as in ${example}`;
    return tag === "latest" ? `has the tag latest, which moves; name a version, as in ${example}` : undefined;
  },
};

/** Images need a digest. */
export const requireDigest: ImageRule = {
  name: "requireDigest",
  judge({ text, reference }) {
    if (reference.digest !== undefined) return undefined;
    return `has no digest; write ${text}@sha256:… (dray digest ${text} prints it)`;
  },
};

function listPatterns(patterns: readonly ImagePattern[]): string {
  const shown = patterns.slice(0, SHOWN).map(({ text }) => text);
  const more = patterns.length - shown.length;
  return more > 0 ? `${shown.join(", ")} and ${more} more` : shown.join(", ");
}
