/**
 * Whether a registry key such as `*.registry.io:5000/team` serves an image. Ports are equal, hosts have as many
 * labels, of which each matches its pattern, and the path begins as the key's does, wherever that ends.
 */
import { matchPattern } from "../../internal/go/match.ts";
import { parseUrl, splitHostPort } from "../../internal/go/url.ts";

/** A key or an image, taken apart for matching. */
export interface MatchTarget {
  /** Of the host, the port left off. */
  readonly labels: readonly string[];
  readonly port: string;
  readonly path: string;
}

/** Why a key doesn't serve an image. */
export type Mismatch = "key-invalid" | "image-invalid" | "port" | "label-count" | "path" | "host";

/** Undefined for what is no URL behind `https://`. */
export function parseTarget(text: string): MatchTarget | undefined {
  let url;
  try {
    url = parseUrl(`https://${text}`);
  } catch {
    return undefined;
  }
  const { host, port } = splitHostPort(url.host);
  return { labels: host.split("."), port, path: url.path };
}

/** Undefined when they match, else the first thing that differs. */
export function findMismatch(
  key: MatchTarget | undefined,
  image: MatchTarget | undefined,
): Mismatch | undefined {
  if (key === undefined) return "key-invalid";
  if (image === undefined) return "image-invalid";
  if (key.port !== image.port) return "port";
  if (key.labels.length !== image.labels.length) return "label-count";
  if (!image.path.startsWith(key.path)) return "path";
  const fits = key.labels.every((label, index) => matchPattern(label, image.labels[index] ?? "") === true);
  return fits ? undefined : "host";
}

/** Whether an image matches a registry key or an entry of `matchImages`. */
export function matchesImage(key: string, image: string): boolean {
  return findMismatch(parseTarget(key), parseTarget(image)) === undefined;
}
