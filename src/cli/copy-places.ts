import type { CommandContext } from "./context.ts";
import { isComplete } from "./is-complete.ts";
import { openSink, openSource } from "./open-place.ts";
import type { Place } from "./place.ts";
import { localPlatform, readCount, wantedPlatform } from "./settings.ts";
import { transfer } from "./transfer.ts";
import { type PlaceValues, placeOptions } from "./with-source.ts";

export interface CopyValues extends PlaceValues {
  readonly platform?: string;
  readonly "all-platforms"?: boolean;
  readonly jobs?: string;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

/**
 * Copies one image between two places and prints the digest it has at the target. Every platform comes along,
 * unless the source has only some, the target can hold only one, or one was asked for.
 */
export async function copyPlaces(
  from: Place,
  to: Place,
  { values, context }: { readonly values: CopyValues; readonly context: CommandContext },
): Promise<void> {
  const options = placeOptions(values, context);
  const concurrency = readCount(values.jobs, "--jobs");
  await using source = await openSource(from, options);
  await using sink = await openSink(to, options);
  let platform = wantedPlatform(values, sink.singlePlatform ? localPlatform() : undefined);
  if (platform === undefined && source.sparse && values["all-platforms"] !== true) {
    const root = await source.source.resolve(source.reference, { signal: context.signal });
    if (!(await isComplete(source.source, root, { signal: context.signal }))) {
      platform = localPlatform();
      void context.stderr.write(`${source.label} is here for one platform only; that one is copied\n`);
    }
  }
  const result = await transfer(
    {
      from: source.source,
      reference: source.reference,
      to: sink.sink,
      as: sink.name,
      platform,
      index: sink.keepsIndex ? "keep" : "drop",
      concurrency,
      quiet: values.quiet === true,
    },
    context,
  );
  await sink.finish();
  const { descriptor, size, writtenBytes, milliseconds } = result;
  const facts = {
    source: source.label,
    target: sink.label,
    digest: descriptor.digest,
    size,
    transferred: writtenBytes,
    milliseconds,
  };
  await context.stdout.write(`${values.json === true ? JSON.stringify(facts) : descriptor.digest}\n`);
}
