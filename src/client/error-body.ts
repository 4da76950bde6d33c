import { parseErrorBody } from "../oci/index.ts";
import { ClientError, type RegistryErrorEntry } from "./errors.ts";
import type { HttpResponse } from "./http.ts";
import { hideSent } from "./sent-secrets.ts";

/** Nobody explains a failure in more bytes. */
const ERROR_BODY_LIMIT = 64 * 1024;
/** What of a body that isn't JSON goes into a message. */
const EXCERPT = 200;

/** What a registry or token service said about a failure. */
export interface ErrorBody {
  readonly errors: readonly RegistryErrorEntry[];
  /** The body as text, as far as it was read. */
  readonly text: string;
}

/**
 * Reads an error answer. A body that is too long, or is cut off, counts as far as it came; credentials that it quotes
 * are left out.
 */
export async function readErrorBody(
  response: Pick<HttpResponse, "pump">,
  limit: number = ERROR_BODY_LIMIT,
): Promise<ErrorBody> {
  const enough = new Error("enough");
  const parts: Buffer[] = [];
  let left = limit;
  try {
    await response.pump((chunk) => {
      parts.push(Buffer.from(chunk.subarray(0, left)));
      left -= chunk.length;
      if (left <= 0) throw enough;
    });
  } catch (error) {
    if (error !== enough && !(error instanceof ClientError)) throw error;
  }
  const text = hideSent(response, Buffer.concat(parts).toString("utf8"));
  return { errors: parseErrorBody(text), text };
}

/** `DENIED: requested access to the resource is denied`, or the first line of the text; empty when there's nothing to tell. */
export function describeErrorBody({ errors, text }: ErrorBody): string {
  if (errors.length > 0) {
    return errors
      .slice(0, 5)
      .map(({ code, message }) => oneLine(message === "" ? code : `${code}: ${message}`))
      .join("; ");
  }
  const start = text.trimStart();
  if (/^<(?:!doctype|html)/i.test(start)) return "an HTML page";
  return oneLine(start.split("\n")[0] ?? "");
}

/** Servers choose this text: no line breaks, no terminal sequences, no novels. */
function oneLine(text: string): string {
  const plain = text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, " ").trim();
  return plain.length > EXCERPT ? `${plain.slice(0, EXCERPT)}…` : plain;
}
