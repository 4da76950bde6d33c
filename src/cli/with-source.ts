import type { ConnectValues, RegistryAccess } from "./connect.ts";
import type { CommandContext } from "./context.ts";
import { type OpenPlaceOptions, type OpenedSource, openSource } from "./open-place.ts";
import { parsePlace } from "./place.ts";
import { readSplit } from "./settings.ts";

export type PlaceValues = ConnectValues & { readonly "data-dir"?: string };

export function placeOptions(values: PlaceValues, context: CommandContext): OpenPlaceOptions {
  // A mistake is told whether or not a registry is asked in the end.
  readSplit(values);
  return { context, values, connect };

  // Most of the client's code is for places that aren't asked for.
  async function connect(registries: readonly string[]): Promise<RegistryAccess> {
    return await (await import("./connect.ts")).connect(values, registries, context);
  }
}

/** Opens the image a command was given, does something with it, and closes it however that ends. */
export async function withSource<T>(
  text: string | undefined,
  { values, context }: { readonly values: PlaceValues; readonly context: CommandContext },
  work: (opened: OpenedSource) => Promise<T>,
): Promise<T> {
  await using opened = await openSource(parsePlace(text ?? ""), placeOptions(values, context));
  return await work(opened);
}
