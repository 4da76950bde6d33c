import type { ContentSink } from "../../src/oci/index.ts";
import type { Store } from "../../src/store/index.ts";
import type { RecordedImage } from "./recording.ts";

/** Digests of the layers of all these. */
export function layersOf(images: readonly RecordedImage[]): ReadonlySet<string> {
  const all = images.flatMap((image) => [image, ...(image.manifests ?? [])]);
  return new Set(all.flatMap((image) => (image.layers ?? []).map(({ digest }) => digest)));
}

/** A store that has these layers already, as the recorded node had: the recordings have no layers. */
export function withLayers(store: Store, layers: ReadonlySet<string>): Store {
  const begin: Store["begin"] = () => {
    const writes = store.begin();
    return intercept(writes, sinkWith(writes, layers));
  };
  return intercept(store, { ...sinkWith(store, layers), begin });
}

function sinkWith(sink: ContentSink, layers: ReadonlySet<string>): ContentSink {
  return {
    has: async (descriptor, options) =>
      layers.has(descriptor.digest) || (await sink.has(descriptor, options)),
    write: async (descriptor, source, options) =>
      layers.has(descriptor.digest) ? "exists" : await sink.write(descriptor, source, options),
  };
}

/** The same but for some members. */
function intercept<T extends object>(target: T, members: Partial<NoInfer<T>>): T {
  return new Proxy(target, {
    get(_, key): unknown {
      if (Object.hasOwn(members, key)) return Reflect.get(members, key);
      const value: unknown = Reflect.get(target, key, target);
      // `using` takes no bound function.
      return typeof value === "function"
        ? (...args: unknown[]): unknown => Reflect.apply(value, target, args)
        : value;
    },
  });
}
