/**
 * A layout's `index.json`: which images it holds, and under what names.
 *
 * The document is kept as it was read and only its `manifests` change, so that members dray doesn't know survive.
 */
import {
  ANNOTATIONS,
  type Descriptor,
  type Digest,
  findDigestFault,
  isDigest,
  MEDIA_TYPES,
  parseDescriptor,
  parseManifest,
} from "../oci/index.ts";
import { parseReference, formatReference } from "../reference/index.ts";
import { ArchiveError } from "./errors.ts";
import { invalid } from "./tar-file.ts";

const REF_NAME = ANNOTATIONS.refName;
const FULL_NAME = ANNOTATIONS.containerdName;
export const LAYOUT_MARK = "oci-layout";
export const LAYOUT_INDEX = "index.json";

/** The bytes of `oci-layout`. */
export const LAYOUT_HEADER = '{"imageLayoutVersion":"1.0.0"}';

/** One image of a layout or archive. */
export interface ArchiveEntry {
  /** As recorded: a tag, a full name, or nothing. */
  readonly name?: string;
  /** The full name where one is recorded besides: containerd writes both. */
  readonly fullName?: string;
  /** Without the annotations that record the names. */
  readonly descriptor: Descriptor;
}

type Json = Record<string, unknown>;

export interface LayoutIndex {
  readonly document: Json;
  readonly entries: readonly ArchiveEntry[];
}

export function emptyLayoutIndex(): LayoutIndex {
  return { document: { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [] }, entries: [] };
}

/**
 * @throws ArchiveError `ARCHIVE_INVALID`, `ARCHIVE_UNSUPPORTED`
 */
export function checkLayoutMark(bytes: Buffer, label: string): void {
  const mark = parseJson(bytes, LAYOUT_MARK, label) as Json | null;
  const version = typeof mark === "object" && mark !== null ? mark["imageLayoutVersion"] : undefined;
  if (version === "1.0.0") return;
  const shown = typeof version === "string" ? JSON.stringify(version.slice(0, 40)) : "missing";
  throw new ArchiveError(
    "ARCHIVE_UNSUPPORTED",
    `Cannot read archive ${JSON.stringify(label)}: its imageLayoutVersion is ${shown}, and only "1.0.0" is known`,
  );
}

/**
 * @throws ArchiveError `ARCHIVE_INVALID`
 */
export function parseLayoutIndex(bytes: Buffer, label: string): LayoutIndex {
  const document = parseJson(bytes, LAYOUT_INDEX, label);
  if (!isObject(document) || !Array.isArray(document["manifests"])) {
    throw invalid(label, "its index.json has no list of manifests");
  }
  const entries = document["manifests"].map((value: unknown) => readEntry(value, label));
  return { document, entries: entries.filter((entry) => entry !== undefined) };
}

export function formatLayoutIndex(index: LayoutIndex): Buffer {
  return Buffer.from(JSON.stringify(index.document));
}

/**
 * The index with `name` pointing at `descriptor`, and at nothing else. The empty name stands for an image that is
 * recorded without one.
 */
export function putEntry(index: LayoutIndex, descriptor: Descriptor, name: string): LayoutIndex {
  if (name === "") return putNameless(index, descriptor);
  checkName(name);
  const annotations: Record<string, string> = { ...descriptor.annotations };
  delete annotations[FULL_NAME];
  annotations[REF_NAME] = name;
  // Tools that go by the full name alone find it here; a bare tag doesn't have one.
  if (name.includes("/") || name.includes(":")) annotations[FULL_NAME] = name;
  const sorted = Object.fromEntries(Object.entries(annotations).sort(([a], [b]) => (a < b ? -1 : 1)));
  const entry: Descriptor = { ...descriptor, annotations: sorted };
  const added: ArchiveEntry = {
    name,
    descriptor: withoutNames(entry),
    ...(FULL_NAME in sorted ? { fullName: name } : undefined),
  };
  const rest = dropEntry(index, name);
  return {
    document: { ...rest.document, manifests: [...(rest.document["manifests"] as unknown[]), entry] },
    entries: [...rest.entries, added],
  };
}

/** Names belong to the place that records them, and must not travel with a descriptor to another one. */
function withoutNames(descriptor: Descriptor): Descriptor {
  const { annotations, ...bare } = descriptor;
  const kept = Object.entries(annotations ?? {}).filter(([key]) => key !== REF_NAME && key !== FULL_NAME);
  return kept.length === 0 ? bare : { ...bare, annotations: Object.fromEntries(kept) };
}

function putNameless(index: LayoutIndex, descriptor: Descriptor): LayoutIndex {
  if (index.entries.some((entry) => entry.descriptor.digest === descriptor.digest)) return index;
  const entry = withoutNames(descriptor);
  return {
    document: { ...index.document, manifests: [...(index.document["manifests"] as unknown[]), entry] },
    entries: [...index.entries, { descriptor: entry }],
  };
}

/** The index without the entries recorded as `name`. */
export function dropEntry(index: LayoutIndex, name: string): LayoutIndex {
  const recorded = (value: unknown): unknown =>
    isObject(value) && isObject(value["annotations"]) ? value["annotations"][REF_NAME] : undefined;
  return {
    document: {
      ...index.document,
      manifests: (index.document["manifests"] as unknown[]).filter((value) => recorded(value) !== name),
    },
    entries: index.entries.filter((entry) => entry.name !== name),
  };
}

/**
 * The entry that `reference` means: a digest, a recorded name, a full name in any of its spellings, or the tag of a
 * recorded full name. Without a reference, the only image there is.
 *
 * @throws ArchiveError `REFERENCE_UNKNOWN`, `REFERENCE_AMBIGUOUS`
 */
export function selectEntry(
  entries: readonly ArchiveEntry[],
  reference: string,
  label: string,
): ArchiveEntry {
  const found = matchEntries(entries, reference);
  const [first] = found;
  if (first === undefined) {
    const wanted = reference === "" ? "an image" : JSON.stringify(reference);
    throw new ArchiveError(
      "REFERENCE_UNKNOWN",
      `Cannot find ${wanted} in ${JSON.stringify(label)}: ${describeEntries(entries)}`,
    );
  }
  if (found.every((entry) => entry.descriptor.digest === first.descriptor.digest)) return first;
  const wanted = reference === "" ? "an image" : JSON.stringify(reference);
  const hint = reference === "" ? "name one of them" : "use a digest";
  throw new ArchiveError(
    "REFERENCE_AMBIGUOUS",
    `Cannot choose ${wanted} in ${JSON.stringify(label)}: ${describeEntries(found)}; ${hint}`,
  );
}

function matchEntries(entries: readonly ArchiveEntry[], reference: string): readonly ArchiveEntry[] {
  if (reference === "") return entries;
  if (isDigest(reference)) return entries.filter((entry) => entry.descriptor.digest === reference);
  const exact = entries.filter((entry) => entry.name === reference);
  if (exact.length > 0) return exact;
  const wanted = canonical(reference);
  const named = entries.filter((entry) => {
    return [entry.fullName, fullForm(entry.name)].some(
      (name) => name !== undefined && canonical(name) === wanted,
    );
  });
  if (named.length > 0) return named;
  return entries.filter((entry) => tagOf(entry.fullName ?? fullForm(entry.name)) === reference);
}

/** A recorded name that is more than a tag. */
function fullForm(name: string | undefined): string | undefined {
  return name !== undefined && (name.includes("/") || name.includes(":")) ? name : undefined;
}

function canonical(name: string): string | undefined {
  try {
    const reference = parseReference(name);
    return formatReference(reference.tag || reference.digest ? reference : { ...reference, tag: "latest" });
  } catch {
    return undefined;
  }
}

function tagOf(name: string | undefined): string | undefined {
  if (name === undefined) return undefined;
  const colon = name.lastIndexOf(":");
  return colon > name.lastIndexOf("/") ? name.slice(colon + 1) : undefined;
}

function describeEntries(entries: readonly ArchiveEntry[]): string {
  if (entries.length === 0) return "it holds no images";
  const shown = entries
    .slice(0, 10)
    .map((entry) => JSON.stringify(entry.fullName ?? entry.name ?? entry.descriptor.digest));
  const more = entries.length > shown.length ? ` and ${entries.length - shown.length} more` : "";
  return `it holds ${shown.join(", ")}${more}`;
}

/** What a document is when nothing but its digest was known; `undefined` for other content. */
export function sniffDescriptor(bytes: Buffer, digest: Digest): Descriptor | undefined {
  try {
    return { mediaType: parseManifest(bytes).mediaType, digest, size: bytes.length };
  } catch {
    return undefined;
  }
}

export function parseJson(bytes: Buffer, what: string, label: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw invalid(label, `its ${what} is not JSON`, error);
  }
}

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Entries dray can't verify (another digest algorithm) are passed over; broken ones are an error. */
function readEntry(value: unknown, label: string): ArchiveEntry | undefined {
  if (!isObject(value)) throw invalid(label, "an entry of its index.json is not an object");
  const { digest, annotations } = value;
  if (typeof digest === "string" && findDigestFault(digest) === "unsupported") return undefined;
  try {
    parseDescriptor(value);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw invalid(label, `an entry of its index.json is no descriptor: ${why}`, error);
  }
  const name = isObject(annotations) ? annotations[REF_NAME] : undefined;
  const fullName = isObject(annotations) ? annotations[FULL_NAME] : undefined;
  return {
    descriptor: withoutNames(value as unknown as Descriptor),
    ...(typeof name === "string" && name !== "" ? { name } : undefined),
    ...(typeof fullName === "string" && fullName !== "" ? { fullName } : undefined),
  };
}

export function checkName(name: string): void {
  if (name !== "" && name.length <= 512 && /^[\x21-\x7e]+$/.test(name)) return;
  throw new ArchiveError(
    "REFERENCE_INVALID",
    `Cannot record the name ${JSON.stringify(name.slice(0, 100))}: it should be a tag or an image name`,
  );
}
