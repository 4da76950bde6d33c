import { failure } from "../../kubernetes/index.ts";
import type { CallBody } from "../verbs/context.ts";

/** As much as the API server takes for one object. */
export const MAX_BODY: number = 3 * 1024 * 1024;

/** @throws StatusError when there's more than an object can have */
export async function readBody(request: Request): Promise<CallBody> {
  const contentType = request.headers.get("content-type") ?? "";
  if (request.body === null) return { bytes: new Uint8Array(), contentType };
  const length = Number(request.headers.get("content-length") ?? 0);
  if (length > MAX_BODY) {
    await request.body.cancel();
    throw tooLarge();
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Leaving the loop cancels the rest.
  for await (const chunk of request.body) {
    size += chunk.length;
    if (size > MAX_BODY) throw tooLarge();
    chunks.push(chunk);
  }
  const [only] = chunks;
  return { bytes: chunks.length === 1 && only ? only : Buffer.concat(chunks), contentType };
}

function tooLarge(): Error {
  return failure("RequestEntityTooLarge", `Request entity too large: limit is ${MAX_BODY}`);
}
