import type { ContentSource, Descriptor } from "../oci/index.ts";
import type { HttpBodySource } from "./http.ts";

/** What a source threw while it was read for an upload: not the registry's fault, so never asked of it again. */
export class SourceFailure extends Error {
  constructor(cause: unknown) {
    super("The source failed", { cause });
  }
}

export interface BodyPart {
  readonly from: number;
  /** The byte after the last. */
  readonly to: number;
  readonly signal: AbortSignal | undefined;
  /** Told where in the content the next byte to send is. */
  readonly onOffset: (offset: number) => void;
}

/** A part of content as the body of a request; opened anew whenever the request has to be sent again. */
export function bodyFromSource(
  source: ContentSource,
  descriptor: Descriptor,
  part: BodyPart,
): HttpBodySource {
  const { from, to, signal, onOffset } = part;
  return {
    length: to - from,
    async pump(consume) {
      // A thrown marker is the way to stop a source that has more than this part.
      const enough = new Error("Enough");
      let refusal: { readonly error: unknown } | undefined;
      const refuse = (error: unknown): never => {
        refusal = { error };
        throw error;
      };
      let offset = from;
      const stream = await source.open(descriptor, { offset: from, signal }).catch(fail);
      try {
        await stream.pump((chunk) => {
          const rest = to - offset;
          if (rest === 0 && to < descriptor.size) throw enough;
          const bytes = chunk.length > rest && to < descriptor.size ? chunk.subarray(0, rest) : chunk;
          offset += bytes.length;
          onOffset(offset);
          try {
            return consume(bytes)?.catch(refuse);
          } catch (error) {
            return refuse(error);
          }
        });
      } catch (error) {
        if (error === enough) return;
        if (refusal !== undefined) throw refusal.error;
        fail(error);
      } finally {
        await stream.close();
      }
    },
  };
}

function fail(error: unknown): never {
  throw new SourceFailure(error);
}
