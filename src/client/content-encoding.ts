import type { Transform } from "node:stream";

import type { ByteConsumer } from "../oci/index.ts";
import { ClientError } from "./errors.ts";
import type { HttpResponse } from "./http.ts";

/** What we can undo, best first. */
export const ACCEPT_ENCODING = "zstd;q=1.0, gzip;q=0.8, deflate;q=0.5";

/** The codings of a body in the order they were applied; empty when its bytes are the content. */
export function contentEncodings(response: Pick<HttpResponse, "headers">): readonly string[] {
  return response
    .headers("content-encoding")
    .flatMap((line) => line.split(","))
    .map((coding) => coding.trim().toLowerCase())
    .filter((coding) => coding !== "" && coding !== "identity");
}

/**
 * Delivers the content of a body: its bytes with every content coding undone.
 *
 * @throws ClientError `RESPONSE_INVALID` for a coding nobody asked for, or one that doesn't decode
 */
export async function pumpContent(response: HttpResponse, consume: ByteConsumer): Promise<void> {
  const codings = contentEncodings(response);
  if (codings.length === 0) return response.pump(consume);
  const stages = await openDecoders(codings);
  const [first] = stages;
  const last = stages.at(-1);
  if (first === undefined || last === undefined) return undefined;
  for (const [index, stage] of stages.entries()) {
    const next = stages[index + 1];
    if (next !== undefined) stage.pipe(next);
    stage.on("error", (error) => stages.forEach((other) => other.destroy(error)));
  }
  let failure: unknown;
  const feeding = feed(response, first).catch((error: unknown) => {
    failure ??= error;
    for (const stage of stages) stage.destroy();
  });
  try {
    for await (const chunk of last as AsyncIterable<Buffer>) {
      try {
        await consume(chunk);
      } catch (error) {
        failure ??= error;
        throw error;
      }
    }
  } catch (cause) {
    if (failure === undefined) failure = undecodable(codings, cause);
    first.destroy();
  }
  await feeding;
  if (failure !== undefined) await Promise.reject(failure);
}

async function feed(response: HttpResponse, decoder: Transform): Promise<void> {
  await response.pump((chunk) => {
    if (decoder.destroyed) throw new Error("The decoder stopped");
    // The decoder reads later, when this chunk's memory already holds other bytes.
    if (decoder.write(Buffer.from(chunk))) return undefined;
    return new Promise<void>((resolve) => {
      const go = (): void => {
        decoder.off("drain", go).off("close", go);
        resolve();
      };
      decoder.once("drain", go).once("close", go);
    });
  });
  decoder.end();
}

async function openDecoders(codings: readonly string[]): Promise<Transform[]> {
  const zlib = await import("node:zlib");
  const decoders: Readonly<Record<string, () => Transform>> = {
    gzip: () => zlib.createGunzip(),
    "x-gzip": () => zlib.createGunzip(),
    deflate: () => zlib.createInflate(),
    zstd: () => zlib.createZstdDecompress(),
    br: () => zlib.createBrotliDecompress(),
  };
  return codings.toReversed().map((coding) => {
    const open = Object.hasOwn(decoders, coding) ? decoders[coding] : undefined;
    if (open !== undefined) return open();
    throw new ClientError(
      "RESPONSE_INVALID",
      `Cannot read the answer: content coding ${JSON.stringify(coding)} is not known`,
    );
  });
}

function undecodable(codings: readonly string[], cause: unknown): ClientError {
  return new ClientError(
    "RESPONSE_INVALID",
    `Cannot read the answer: it does not decode as ${codings.join(", ")}`,
    { cause },
  );
}
