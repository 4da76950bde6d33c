/** How much the images would bring, asked of their registries as the Pods would ask. */
import { Keyring, secretsKeyring, type TrackedCredential } from "../../credentials/index.ts";
import type { EndpointImages } from "../../cri/index.ts";
import {
  decideDiskBudget,
  type DiskBudget,
  estimatePull,
  parseImageName,
  type NodeKeyring,
  type PullEstimate,
} from "../../images/index.ts";
import { forEachLimited, hostPlatformMatcher, type ImageSource, type Platform } from "../../oci/index.ts";
import { type Reference, repositoryName } from "../../reference/index.ts";
import { describeError } from "../report-error.ts";
import { isSystemError } from "../exit-code.ts";
import { DrayError } from "../../errors.ts";
import type { Asker, WantedImage } from "./wanted.ts";

export interface MeasureOptions {
  readonly registry: (reference: Reference, credential: TrackedCredential | null) => ImageSource;
  readonly keyring: NodeKeyring | undefined;
  readonly platform: Platform;
  readonly concurrency: number;
  readonly signal: AbortSignal;
}

/** By image; an image whose registry didn't say has the reason instead. */
export type Measured = ReadonlyMap<string, PullEstimate | { readonly why: string }>;

export async function measureImages(
  images: readonly WantedImage[],
  options: MeasureOptions,
): Promise<Measured> {
  const { concurrency, signal } = options;
  const measured = new Map<string, PullEstimate | { readonly why: string }>();
  await forEachLimited(images, { concurrency, signal }, async (wanted, limited) => {
    measured.set(wanted.image, await measure(wanted, { ...options, signal: limited }));
  });
  return measured;
}

/** The first credential that opens it, of all askers in their order. */
async function measure(
  { image, askers }: WantedImage,
  options: MeasureOptions,
): Promise<PullEstimate | { readonly why: string }> {
  const { registry, platform, signal } = options;
  const matcher = hostPlatformMatcher(platform);
  let why = "nobody asked for it";
  try {
    const reference = parseImageName(image);
    for (const asker of askers) {
      for (const credential of await credentialsFor(image, asker, options)) {
        try {
          return await estimatePull(registry(reference, credential), reference, { matcher, signal });
        } catch (error) {
          why = explain(error, signal);
        }
      }
    }
  } catch (error) {
    why = explain(error, signal);
  }
  return { why };
}

/** What is foreseen becomes a sentence; defects stay defects. */
function explain(error: unknown, signal: AbortSignal): string {
  signal.throwIfAborted();
  if (error instanceof DrayError || isSystemError(error)) return describeError(error).message;
  throw error;
}

async function credentialsFor(
  image: string,
  asker: Asker,
  { keyring, signal }: MeasureOptions,
): Promise<readonly (TrackedCredential | null)[]> {
  const name = repositoryName(parseImageName(image));
  const whole = secretsKeyring(asker.pullSecrets, keyring?.(asker.pod) ?? new Keyring(), { track: false });
  const { credentials } = await whole.lookup(name, { signal });
  return credentials.length === 0 ? [null] : credentials;
}

/** The layers that are here, by what is in them; as far as the runtime tells. */
export async function presentLayers(
  images: EndpointImages,
  options: { readonly concurrency: number; readonly signal: AbortSignal },
): Promise<ReadonlySet<string>> {
  const layers = new Set<string>();
  const ids = (await images.list(options)).map(({ id }) => id);
  await forEachLimited(ids, options, async (id, signal) => {
    // An image that went meanwhile, or of which nothing is told.
    for (const layer of await images.layersOf(id, { signal }).catch(() => [])) layers.add(layer);
  });
  return layers;
}

export interface BudgetSettings {
  readonly unpackRatio: number;
  readonly maxBytes: number | undefined;
  readonly keepFree: ((capacity: number) => number) | undefined;
}

export async function checkBudget(
  measured: Measured,
  settings: BudgetSettings,
  endpoint: {
    readonly images: EndpointImages;
    readonly layers: ReadonlySet<string>;
    readonly signal: AbortSignal;
  },
): Promise<DiskBudget> {
  const { images, layers, signal } = endpoint;
  const contents = [...measured.values()].flatMap((one) => ("contents" in one ? one.contents : []));
  return decideDiskBudget({
    contents,
    presentLayers: layers,
    fileSystem: await images.fileSystem({ signal }),
    ...settings,
  });
}
