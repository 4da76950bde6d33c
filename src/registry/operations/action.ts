import { isDigest, isTag } from "../../oci/index.ts";
import type { Exchange } from "./exchange.ts";

/** What a request wants with content, in the words of notifications, and what is known of the content. */
export interface Action {
  readonly action: "pull" | "push" | "mount" | "delete";
  readonly kind: "manifest" | "tag" | "blob";
  readonly repository: string;
  readonly digest?: string | undefined;
  readonly tags: readonly string[];
  readonly mediaType?: string | undefined;
  /** Bytes. */
  readonly size?: number | undefined;
  /** The repository that a mount takes from. */
  readonly from?: string | undefined;
}

const BLOB = "application/octet-stream";

/**
 * Reads an exchange that was answered, well or badly. `undefined` for what is about no content: lists, chunks of an
 * upload, questions.
 */
export function actionOf(exchange: Exchange): Action | undefined {
  const { match } = exchange;
  if (match === undefined) return undefined;
  switch (match.route) {
    case "manifest":
      return manifestAction(exchange, match.name, match.reference);
    case "blob":
      return blobAction(exchange, match.name, match.digest);
    case "uploads":
      return startAction(exchange, match.name);
    case "upload":
      return exchange.request.method === "PUT"
        ? { action: "push", kind: "blob", repository: match.name, ...blobOf(exchange) }
        : undefined;
    case "base":
    case "catalog":
    case "referrers":
    case "tags":
      return undefined;
  }
}

/** Whether what was wanted was done. */
export function isDone(exchange: Exchange): boolean {
  return exchange.status >= 200 && exchange.status < 300;
}

function manifestAction(exchange: Exchange, repository: string, reference: string): Action | undefined {
  const { request, content } = exchange;
  const byDigest = isDigest(reference);
  const tag = !byDigest && isTag(reference) ? [reference] : [];
  const digest = exchange.answered("docker-content-digest") ?? (byDigest ? reference : undefined);
  switch (request.method) {
    case "GET":
    case "HEAD": {
      const mediaType = isDone(exchange) ? exchange.answered("content-type") : undefined;
      const size = isDone(exchange) ? lengthOf(exchange) : undefined;
      return { action: "pull", kind: "manifest", repository, digest, tags: tag, mediaType, size };
    }
    case "PUT": {
      const tags = byDigest ? queryOf(exchange).getAll("tag").filter(isTag) : tag;
      const mediaType = request.header("content-type");
      return {
        action: "push",
        kind: "manifest",
        repository,
        digest,
        tags,
        mediaType,
        size: exchange.bytesIn || undefined,
      };
    }
    case "DELETE":
      return byDigest
        ? { action: "delete", kind: "manifest", repository, digest, tags: [] }
        : { action: "delete", kind: "tag", repository, digest: content?.digest, tags: tag };
    default:
      return undefined;
  }
}

function blobAction(exchange: Exchange, repository: string, digest: string): Action | undefined {
  switch (exchange.request.method) {
    case "GET":
    case "HEAD": {
      const size = isDone(exchange) ? (sizeOfRange(exchange) ?? lengthOf(exchange)) : undefined;
      return { action: "pull", kind: "blob", repository, digest, tags: [], mediaType: BLOB, size };
    }
    case "DELETE":
      return { action: "delete", kind: "blob", repository, digest, tags: [] };
    default:
      return undefined;
  }
}

/** POST: a mount, a whole blob, or the beginning of an upload that says nothing yet. */
function startAction(exchange: Exchange, repository: string): Action | undefined {
  if (exchange.request.method !== "POST") return undefined;
  const query = queryOf(exchange);
  const mount = query.get("mount");
  if (mount !== null && exchange.status !== 202) {
    const from = query.get("from") ?? undefined;
    return { action: "mount", kind: "blob", repository, ...blobOf(exchange), digest: mount, from };
  }
  const digest = query.get("digest");
  if (digest === null && isDone(exchange)) return undefined;
  return { action: "push", kind: "blob", repository, ...blobOf(exchange) };
}

function blobOf(exchange: Exchange): Pick<Action, "digest" | "tags" | "mediaType" | "size"> {
  const digest =
    exchange.answered("docker-content-digest") ?? queryOf(exchange).get("digest")?.slice(0, 200) ?? undefined;
  return { digest, tags: [], mediaType: BLOB, size: exchange.content?.size };
}

function queryOf({ request }: Exchange): URLSearchParams {
  const mark = request.target.indexOf("?");
  return new URLSearchParams(mark < 0 ? "" : request.target.slice(mark + 1));
}

function lengthOf(exchange: Exchange): number | undefined {
  const length = exchange.answered("content-length");
  return length === undefined ? undefined : Number(length);
}

/** Of a part, the size of the whole. */
function sizeOfRange(exchange: Exchange): number | undefined {
  const size = exchange.answered("content-range")?.split("/")[1];
  return size === undefined ? undefined : Number(size);
}
