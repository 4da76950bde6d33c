/** Turns places of the command line into content ports. Rooms are loaded only when a place needs them. */
import { resolve } from "node:path";

import type { ImageSink, ImageSource } from "../oci/index.ts";
import { type Reference, familiarString, formatReference } from "../reference/index.ts";
import type { RegistryAccess } from "./connect.ts";
import type { CommandContext } from "./context.ts";
import { UsageError } from "./errors.ts";
import type { Place } from "./place.ts";
import { dataDir } from "./settings.ts";

export interface OpenPlaceOptions {
  readonly context: CommandContext;
  readonly values: { readonly "data-dir"?: string };
  /** Connects to registries; called once at most for each place. */
  readonly connect: (registries: readonly string[]) => Promise<RegistryAccess>;
}

export interface OpenedSource extends AsyncDisposable {
  readonly source: ImageSource;
  /** What the source resolves. */
  readonly reference: string;
  /** What people call it. */
  readonly label: string;
  /** Whether parts of an index may be missing, so that copying all of it would fail. */
  readonly sparse: boolean;
}

export interface OpenedSink extends AsyncDisposable {
  readonly sink: ImageSink;
  /** The name to give; `undefined` for content without one. */
  readonly name: string | undefined;
  readonly label: string;
  /** One platform only: `docker save`'s form knows no indexes. */
  readonly singlePlatform: boolean;
  /** Whether an index with one of its platforms may stay here, as it does on a node. */
  readonly keepsIndex: boolean;
  /** Makes what was written visible, for forms that appear in one step. */
  finish(): Promise<void>;
}

/** The caller disposes of it. */
export async function openSource(place: Place, options: OpenPlaceOptions): Promise<OpenedSource> {
  const label = labelOf(place);
  switch (place.kind) {
    case "docker": {
      const access = await options.connect([place.reference.domain]);
      const source = access.repository(place.reference);
      return opened({ source, reference: objectOf(place.reference), label, sparse: false }, () =>
        access.close(),
      );
    }
    case "store": {
      const { openStore } = await import("../store/index.ts");
      const store = await openStore(dataDir(options.values, options.context));
      return opened({ source: store, reference: formatReference(place.reference), label, sparse: true }, () =>
        store.close(),
      );
    }
    case "oci": {
      const { openLayout } = await import("../archive/index.ts");
      const source = await openLayout(resolve(options.context.cwd, place.path));
      return opened({ source, reference: place.name ?? "", label, sparse: true }, async () => {});
    }
    case "oci-archive":
    case "docker-archive": {
      const { openDockerArchive, openOciArchive } = await import("../archive/index.ts");
      const open = place.kind === "oci-archive" ? openOciArchive : openDockerArchive;
      const input = place.path === "-" ? options.context.stdin : resolve(options.context.cwd, place.path);
      const source = await open(input, { signal: options.context.signal });
      return opened({ source, reference: place.name ?? "", label, sparse: true }, () => source.close());
    }
  }
}

/** The caller disposes of it; without `finish()` an archive never appears. */
export async function openSink(place: Place, options: OpenPlaceOptions): Promise<OpenedSink> {
  const label = labelOf(place);
  const plain = { label, singlePlatform: false, keepsIndex: false, finish: async (): Promise<void> => {} };
  switch (place.kind) {
    case "docker": {
      const access = await options.connect([place.reference.domain]);
      const sink = access.repository(place.reference);
      return opened({ ...plain, sink, name: objectOf(place.reference) }, () => access.close());
    }
    case "store": {
      const { openStore } = await import("../store/index.ts");
      const store = await openStore(dataDir(options.values, options.context));
      const name = formatReference(place.reference);
      return opened({ ...plain, sink: store, name, keepsIndex: true }, () => store.close());
    }
    case "oci": {
      const { openLayout } = await import("../archive/index.ts");
      const sink = await openLayout(resolve(options.context.cwd, place.path), { create: true });
      return opened({ ...plain, sink, name: place.name ?? "" }, async () => {});
    }
    case "oci-archive":
    case "docker-archive": {
      if (place.path === "-")
        throw new UsageError("Cannot write an archive to standard output here: dray save can");
      const { createDockerArchive, createOciArchive } = await import("../archive/index.ts");
      const docker = place.kind === "docker-archive";
      const draft = await (docker ? createDockerArchive : createOciArchive)(
        resolve(options.context.cwd, place.path),
      );
      const finish = (): Promise<void> => draft.commit({ signal: options.context.signal });
      const name = place.name ?? "";
      return opened({ ...plain, sink: draft, name, singlePlatform: docker, finish }, () => draft.abort());
    }
  }
}

export function labelOf(place: Place): string {
  switch (place.kind) {
    case "docker":
      return familiarString(place.reference);
    case "store":
      return `store:${familiarString(place.reference)}`;
    case "oci":
    case "oci-archive":
    case "docker-archive":
      return `${place.kind}:${place.path}${place.name === undefined ? "" : `:${place.name}`}`;
  }
}

/** What a repository is asked for: the digest, which decides, or else the tag. */
function objectOf(reference: Reference): string {
  return reference.digest ?? reference.tag ?? "latest";
}

function opened<T extends object>(value: T, close: () => Promise<void>): T & AsyncDisposable {
  return { ...value, [Symbol.asyncDispose]: close };
}
