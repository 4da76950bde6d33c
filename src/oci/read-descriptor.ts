import { type Annotations, type Descriptor } from "./descriptor.ts";
import { findDigestFault, type Digest } from "./digest.ts";
import { Reader } from "./json-reader.ts";
import { type Platform } from "./platform.ts";

/** A type and subtype, RFC 6838; parameters don't belong into a descriptor. */
const MEDIA_TYPE = /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/;

const MAX_URLS = 64;
const MAX_OS_FEATURES = 256;

/**
 * Reads a descriptor out of a parsed JSON value.
 *
 * @throws OciError `MANIFEST_INVALID`, or `DIGEST_INVALID` for what isn't a digest dray can verify
 */
export function parseDescriptor(value: unknown): Descriptor {
  return readDescriptor(Reader.of(value, "descriptor"));
}

export function readDescriptor(reader: Reader): Descriptor {
  const mediaType = reader.string("mediaType") ?? "";
  if (!MEDIA_TYPE.test(mediaType)) throw reader.invalid('its "mediaType" is not a media type');
  const digest = reader.string("digest") ?? "";
  const fault = findDigestFault(digest);
  if (fault === "unsupported")
    throw reader.invalid("its digest's algorithm is not supported", "DIGEST_INVALID");
  if (fault !== undefined) throw reader.invalid('its "digest" is not a digest', "DIGEST_INVALID");
  const size = reader.number("size") ?? -1;
  if (!Number.isSafeInteger(size) || size < 0) throw reader.invalid('its "size" is not a number of bytes');
  return { mediaType, digest: digest as Digest, size, ...readOptional(reader) };
}

export function readAnnotations(reader: Reader): Annotations | undefined {
  return reader.stringMap("annotations");
}

/** Reads a platform as image-spec's documents hold it, as it stands: neither completed nor normalised. */
export function readPlatform(reader: Reader): Platform {
  const variant = reader.string("variant");
  const version = reader.string("os.version");
  const features = reader.strings("os.features", MAX_OS_FEATURES);
  return {
    os: reader.string("os") ?? "",
    architecture: reader.string("architecture") ?? "",
    ...(variant !== undefined && variant !== "" && { variant }),
    ...(version !== undefined && version !== "" && { "os.version": version }),
    ...(features !== undefined && features.length > 0 && { "os.features": features }),
  };
}

type Optional = Omit<Descriptor, "mediaType" | "digest" | "size">;

function readOptional(reader: Reader): Optional {
  const urls = reader.strings("urls", MAX_URLS)?.filter(isWebAddress);
  const annotations = readAnnotations(reader);
  const data = reader.string("data");
  const artifactType = reader.string("artifactType");
  const platform = reader.object("platform");
  return {
    ...(urls !== undefined && urls.length > 0 && { urls }),
    ...(annotations !== undefined && { annotations }),
    ...(data !== undefined && { data }),
    ...(artifactType !== undefined && artifactType !== "" && { artifactType }),
    ...(platform !== undefined && { platform: readPlatform(platform) }),
  };
}

/** Other schemes are left out rather than refused: the document is right, only that address is of no use. */
function isWebAddress(url: string): boolean {
  const parsed = URL.parse(url);
  return parsed !== null && (parsed.protocol === "https:" || parsed.protocol === "http:");
}
