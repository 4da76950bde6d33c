/**
 * An image string to a {@link Reference}, and back.
 *
 * ```text
 * reference = [ domain "/" ] path [ ":" tag ] [ "@" digest ]
 *
 * what a person types            what it means
 * ubuntu                         docker.io/library/ubuntu
 * me/app:1                       docker.io/me/app:1
 * localhost:5000/app             localhost:5000/app        (a host has a dot, a port, or is localhost)
 * app:1@sha256:…                 both are kept; the digest decides
 * ```
 *
 * ```ts
 * import { familiarString, formatReference, parseReference } from "dray/reference";
 *
 * const reference = parseReference("ubuntu:24.04");
 * formatReference(reference); // docker.io/library/ubuntu:24.04
 * familiarString(reference); // ubuntu:24.04
 * ```
 *
 * Pulls read names with {@link parseDockerRef}. The dialects of other tools stand beside: crane's, oras's, and
 * containerd's locators.
 */
export { craneScheme, craneScope, formatCraneName, isPrivateAddress } from "./crane-name.ts";
export { parseCraneDigest, parseCraneName, parseCraneRegistry } from "./crane-name.ts";
export { parseCraneRepository, parseCraneTag } from "./crane-name.ts";
export { type CraneDigest, type CraneNameOptions, type CraneRepository } from "./crane-name.ts";
export { type CraneScope, type CraneTag } from "./crane-name.ts";
export { InvalidReferenceError, type InvalidReferenceErrorCode } from "./errors.ts";
export { familiarMatch } from "./familiar-match.ts";
export { familiarName, familiarString, formatReference, repositoryName } from "./format.ts";
export { parseAny, parseDockerRef, parseNamed } from "./forms.ts";
export { isDigestForm, isDomain, isIdentifier, matchName, matchReference } from "./grammar.ts";
export { type ReferenceParts } from "./grammar.ts";
export { formatLocator, locatorDigest, locatorHost, parseLocator, type Locator } from "./locator.ts";
export { orasHost, orasReference, parseOrasName, type OrasName } from "./oras-name.ts";
export { DEFAULT_DOMAIN, DEFAULT_TAG, parseReference, type ParseOptions } from "./parse.ts";
export { type Reference } from "./reference.ts";
export { sortReferences } from "./sort.ts";
export { tagNameOnly, trimReference, withDigest, withName, withTag } from "./with.ts";
