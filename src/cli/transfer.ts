import {
  type CopyEvent,
  type CopyOptions,
  type CopyResult,
  type Descriptor,
  type Digest,
  type ImageSink,
  type ImageSource,
  copy,
  digestEncoded,
  isImageConfigType,
  isManifestOrIndexType,
} from "../oci/index.ts";
import type { CommandContext } from "./context.ts";
import { ProgressLines } from "./terminal/progress.ts";

export interface TransferOptions extends Omit<CopyOptions, "to" | "as" | "onEvent" | "signal"> {
  readonly from: ImageSource;
  readonly reference: string;
  readonly to: ImageSink;
  readonly as: string | undefined;
  readonly quiet: boolean;
}

export interface TransferResult extends CopyResult {
  /** Bytes of everything the image consists of. */
  readonly size: number;
  readonly milliseconds: number;
}

/** Copies an image, with a live line for each content where a person watches. */
export async function transfer(options: TransferOptions, context: CommandContext): Promise<TransferResult> {
  const { from, reference, quiet, ...rest } = options;
  const { clock, env, stderr: output, signal } = context;
  const progress = quiet ? undefined : new ProgressLines({ output, clock, env });
  const startedAt = clock.now();
  let size = 0;
  const awaited = new Set<Digest>();
  const onEvent = (event: CopyEvent): void => {
    if (event.type === "found") size += event.descriptor.size;
    if (progress?.active === true) show(progress, event);
    else if (progress !== undefined && event.type === "awaited") tellOnce(event.descriptor);
  };
  // Where nothing is drawn nobody would know why nothing happens.
  const tellOnce = (descriptor: Descriptor): void => {
    if (awaited.has(descriptor.digest)) return;
    awaited.add(descriptor.digest);
    const what = labelOf(descriptor).replace(/ +/, " ");
    void output.write(`Waiting for ${what}, which another process fetches\n`);
  };
  try {
    const result = await copy(from, reference, { ...rest, signal, onEvent });
    return { ...result, size, milliseconds: clock.now() - startedAt };
  } finally {
    progress?.close();
  }
}

const OUTCOMES = {
  written: "done",
  exists: "already there",
  mounted: "linked",
  skipped: "left out",
} as const;

function show(progress: ProgressLines, event: CopyEvent): void {
  const { descriptor } = event;
  const key = descriptor.digest;
  if (event.type === "found") progress.start(key, labelOf(descriptor), descriptor.size);
  else if (event.type === "progress") progress.update(key, event.bytes);
  else if (event.type === "awaited") progress.update(key, event.bytes, "another process fetches it");
  else progress.finish(key, OUTCOMES[event.outcome]);
}

function labelOf({ digest, mediaType }: Descriptor): string {
  const kind = isManifestOrIndexType(mediaType)
    ? "manifest"
    : isImageConfigType(mediaType)
      ? "config  "
      : "layer   ";
  return `${kind} ${digestEncoded(digest).slice(0, 12)}`;
}
