/**
 * Which images a rule is about.
 *
 * ```text
 * pattern  = host [ "/" segment { "/" segment } ]
 * host     = "*" stands for any part between two dots        *.example.com  registry.example.com:5000
 * segment  = "*" stands for any part between two slashes     docker.io/library/nginx*
 *            "**", as the last one, for all that is below    ghcr.io/team/**
 *
 * A host alone is everything in that registry, and "*" alone is every image.
 * ```
 *
 * Names are compared in full: `nginx` is `docker.io/library/nginx`. Tags and digests don't count.
 */
import { DrayError } from "../errors.ts";
import type { Reference } from "../reference/index.ts";

/** `CONFIGURATION_INVALID`: rules of admission that can't be meant. */
export class AdmissionError extends DrayError<"CONFIGURATION_INVALID"> {}

export interface ImagePattern {
  readonly text: string;
  matches(reference: Pick<Reference, "domain" | "path">): boolean;
}

/** @throws AdmissionError */
export function parseImagePattern(text: string): ImagePattern {
  const slash = text.indexOf("/");
  const host = slash === -1 ? text : text.slice(0, slash);
  const path = slash === -1 ? "**" : text.slice(slash + 1);
  if (text === "*") return { text, matches: () => true };
  if (!/^[A-Za-z0-9*[\]:._-]+$/.test(host) || !/[.:*]|^localhost$/.test(host)) {
    throw invalid(
      text,
      `it begins with a registry's host, as docker.io/${slash === -1 ? "library/" : ""}${text}`,
    );
  }
  const segments = path.split("/");
  const open = segments.at(-1) === "**";
  if (open) segments.pop();
  if (segments.some((segment) => !/^[a-z0-9*._-]+$/.test(segment) || segment.includes("**"))) {
    throw invalid(text, 'a repository has lower-case letters, digits, ".", "_", "-" and "/"; ** stands last');
  }
  const ofHost = new RegExp(`^${host.split("*").map(escape).join("[^./]*")}$`, "i");
  const ofPath = new RegExp(
    `^${segments.map((segment) => segment.split("*").map(escape).join("[^/]*")).join("/")}${ending(open, segments.length)}$`,
  );
  return { text, matches: ({ domain, path: name }) => ofHost.test(domain) && ofPath.test(name) };
}

function ending(open: boolean, segments: number): string {
  if (!open) return "";
  return segments === 0 ? ".+" : "/.+";
}

function escape(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}

function invalid(text: string, why: string): AdmissionError {
  return new AdmissionError(
    "CONFIGURATION_INVALID",
    `Cannot use image pattern ${JSON.stringify(text)}: ${why}`,
  );
}
