/** The documents over HTTP: how long they may be kept, and a short answer to who has kept them. */
import { findDocument, type FindDocumentOptions, hashOf } from "./find-document.ts";

export type AnswerDocumentOptions = Omit<FindDocumentOptions, "accept">;

/**
 * @returns undefined for a path that isn't one of a document
 * @throws StatusError where no form of it is acceptable
 */
export function answerDocument(request: Request, options: AnswerDocumentOptions): Response | undefined {
  const url = new URL(request.url);
  if (request.method !== "GET" && request.method !== "HEAD") return undefined;
  const accept = request.headers.get("accept") ?? undefined;
  const document = findDocument(url.pathname, { ...options, accept });
  if (document === undefined) return undefined;
  const { body, contentType, etag, varies } = document;
  const asked = url.searchParams.get("hash");
  const isHashed = url.pathname.startsWith("/openapi/v3/");
  if (isHashed && asked !== null && etag !== undefined && asked !== hashOf(etag)) {
    const location = `${url.pathname}?hash=${hashOf(etag)}`;
    return new Response(null, { status: 301, headers: { location } });
  }
  const headers = new Headers({ "content-type": contentType, "cache-control": cacheControl(url, etag) });
  if (etag !== undefined) headers.set("etag", etag);
  if (varies) headers.set("vary", "Accept");
  if (etag !== undefined && isKnown(request.headers.get("if-none-match"), etag)) {
    headers.delete("content-type");
    return new Response(null, { status: 304, headers });
  }
  return new Response(request.method === "HEAD" ? null : body, { headers });
}

function cacheControl(url: URL, etag: string | undefined): string {
  if (url.pathname.startsWith("/openapi/v3/") && url.searchParams.has("hash")) return "public, immutable";
  // All of discovery in one is kept, and asked for again with its hash.
  const isKept = etag !== undefined && /^\/apis?\/?$/.test(url.pathname);
  return isKept ? "public" : "no-cache, private";
}

function isKnown(header: string | null, etag: string): boolean {
  if (header === null) return false;
  return header.split(",").some((part) => part.trim() === "*" || part.trim().replace(/^W\//, "") === etag);
}
