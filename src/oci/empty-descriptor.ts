import { type Descriptor } from "./descriptor.ts";
import { type Digest } from "./digest.ts";
import { MEDIA_TYPES } from "./media-types.ts";

/** The content of {@link EMPTY_DESCRIPTOR}: `{}`. */
export const EMPTY_JSON: string = "{}";

/** What stands where an artifact has no config or no layers. */
export const EMPTY_DESCRIPTOR: Descriptor = Object.freeze({
  mediaType: MEDIA_TYPES.ociEmpty,
  digest: "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" as Digest,
  size: 2,
  data: "e30=",
});
