import { type GoDuration, toMilliseconds } from "../../internal/go/duration.ts";
import { GoError } from "../../internal/go/errors.ts";
import { Secret } from "../../internal/secret.ts";
import { type BinaryKey, cacheKey, flightKey, GLOBAL_BASE, registryOf } from "./cache-key.ts";
import type { DockerDocument } from "./docker-document.ts";
import type { CredentialPlugin } from "./exec-plugin.ts";
import type { LogEntry } from "./log-entry.ts";
import type { LookupOptions } from "./keyring.ts";
import type { ProviderResponse } from "./provider-api.ts";
import { ProviderCache } from "./provider-cache.ts";
import {
  AnnotationMissingError,
  grantServiceAccount,
  type PodIdentity,
  type ServiceAccountGrant,
  type ServiceAccounts,
  standaloneServiceAccounts,
  type TokenMode,
} from "./service-accounts.ts";
import type { Coordinates } from "./tracked-credential.ts";
import { matchesImage } from "./url-match.ts";

/** Why a provider gave what it gave. */
export type ProvisionReason =
  | "not-matched"
  | "no-service-account"
  | "annotation-missing"
  | "cached"
  | "answered"
  | "failed";

export interface Provision {
  readonly document: DockerDocument;
  /** Whose the credentials are, when a ServiceAccount's token was shown for them. */
  readonly serviceAccount?: Coordinates | undefined;
  readonly reason: ProvisionReason;
  /** With `answered`: by what the answer is kept, and how long. */
  readonly keep?: { readonly by: string; readonly milliseconds: number } | undefined;
  /** With `failed` and `annotation-missing`, in the kubelet's words. */
  readonly problem?: string | undefined;
}

/** Something that has credentials for an image and a Pod. It never rejects but for an aborted signal. */
export interface ImageCredentialProvider {
  provide(image: string, pod: PodIdentity, options?: LookupOptions): Promise<Provision>;
}

export interface PluginProviderOptions {
  readonly name: string;
  readonly matchImages: readonly string[];
  readonly defaultCacheDuration?: GoDuration | undefined;
  readonly plugin: CredentialPlugin;
  readonly tokenMode?: TokenMode | undefined;
  readonly serviceAccounts?: ServiceAccounts | undefined;
  /** Milliseconds since whenever. */
  readonly now: () => number;
  readonly onLog?: ((entry: LogEntry) => void) | undefined;
}

const NOTHING: DockerDocument = new Map();
const NO_TOKEN = new Secret("");

/** A plugin behind its patterns and its cache; identical requests that come together share one run. */
export class PluginProvider implements ImageCredentialProvider {
  readonly #options: PluginProviderOptions;
  readonly #cache: ProviderCache;
  readonly #flights = new Map<BinaryKey, Promise<ProviderResponse>>();

  constructor(options: PluginProviderOptions) {
    this.#options = options;
    this.#cache = new ProviderCache({ now: options.now });
  }

  get name(): string {
    return this.#options.name;
  }

  get cachedKeys(): readonly BinaryKey[] {
    return this.#cache.keys;
  }

  /** A failing plugin has nothing to give, and says so in the log. */
  async provide(image: string, pod: PodIdentity, options: LookupOptions = {}): Promise<Provision> {
    options.signal?.throwIfAborted();
    try {
      return await abortable(this.#provide(image, pod), options.signal);
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!(error instanceof GoError)) throw error;
      const missing = error instanceof AnnotationMissingError;
      const message = missing
        ? "Failed to get service account data"
        : "Failed to provide credentials for image";
      this.#log(message, { image, pod, error: error.message });
      const reason = missing ? "annotation-missing" : "failed";
      return { document: NOTHING, reason, problem: error.message };
    }
  }

  async #provide(image: string, pod: PodIdentity): Promise<Provision> {
    const { matchImages, tokenMode, serviceAccounts = standaloneServiceAccounts } = this.#options;
    if (!matchImages.some((pattern) => matchesImage(pattern, image))) {
      return { document: NOTHING, reason: "not-matched" };
    }
    let grant: ServiceAccountGrant | undefined;
    if (tokenMode !== undefined) {
      if (pod.serviceAccountName !== "") grant = await grantServiceAccount(tokenMode, pod, serviceAccounts);
      else if (tokenMode.requireServiceAccount) {
        this.#log("Service account name is empty", { image, pod });
        return { document: NOTHING, reason: "no-service-account" };
      }
    }
    const serviceAccount = grant?.coordinates;
    const cached = this.#cache.find(image, grant?.key ?? "");
    if (cached !== undefined) return { document: cached, serviceAccount, reason: "cached" };
    const response = await this.#exec(image, grant);
    const document = this.#accept(image, grant, response);
    const keep = { by: response.cacheKeyType, milliseconds: toMilliseconds(this.#durationOf(response)) };
    return { document, serviceAccount, reason: "answered", keep };
  }

  async #exec(image: string, grant: ServiceAccountGrant | undefined): Promise<ProviderResponse> {
    const key = grant === undefined ? image : flightKey(image, grant.tokenHash, grant.annotations);
    let flight = this.#flights.get(key);
    if (flight === undefined) {
      const request = {
        image,
        serviceAccountToken: grant?.token,
        serviceAccountAnnotations: grant?.annotations,
      };
      flight = this.#options.plugin.exec(request).finally(() => this.#flights.delete(key));
      this.#flights.set(key, flight);
    }
    try {
      return await flight;
    } catch (cause) {
      if (!(cause instanceof GoError)) throw cause;
      const message = `failed to get credential from external registry credential provider: ${cause.message}`;
      throw new GoError(message, { cause });
    }
  }

  /** Checks a response and keeps it as long as it says. */
  #accept(image: string, grant: ServiceAccountGrant | undefined, response: ProviderResponse): DockerDocument {
    const token = (grant?.token ?? NO_TOKEN).reveal();
    if (token !== "" && this.#options.tokenMode?.cacheType !== "Token") {
      for (const { password } of response.auth.values()) {
        if (password.reveal() !== token) continue;
        throw new GoError(
          "credential provider plugin returned the service account token as the password which is not allowed when service account cache type is not set to 'Token'",
        );
      }
    }
    const base = baseOf(response.cacheKeyType, image);
    const document = new Map(
      [...response.auth].map(([key, { username, password }]) => [key, { username, password, email: "" }]),
    );
    const duration = this.#durationOf(response);
    if (duration !== 0n) {
      const expires = this.#options.now() + toMilliseconds(duration);
      this.#cache.set(keyFor(base, grant?.key ?? ""), document, expires);
    }
    return document;
  }

  #durationOf({ cacheDuration }: ProviderResponse): GoDuration {
    return cacheDuration ?? this.#options.defaultCacheDuration ?? 0n;
  }

  #log(message: string, about: { image: string; pod: PodIdentity; error?: string }): void {
    const { image, pod, error } = about;
    const values = {
      provider: this.#options.name,
      image,
      pod: reference(pod.namespace, pod.name),
      podUID: pod.uid,
      serviceAccount: reference(pod.namespace, pod.serviceAccountName),
    };
    this.#options.onLog?.({ message, error, values });
  }
}

function baseOf(cacheKeyType: string, image: string): string {
  switch (cacheKeyType) {
    case "Image":
      return image;
    case "Registry":
      return registryOf(image);
    case "Global":
      return GLOBAL_BASE;
    default:
      throw new GoError(`credential provider plugin did not return a valid cacheKeyType: ${cacheKeyType}`);
  }
}

function keyFor(base: string, account: BinaryKey): BinaryKey {
  try {
    return cacheKey(base, account);
  } catch (cause) {
    if (!(cause instanceof GoError)) throw cause;
    throw new GoError(`error generating cache key: ${cause.message}`, { cause });
  }
}

function reference(namespace: string, name: string): string {
  return namespace === "" ? name : `${namespace}/${name}`;
}

/** Waits no longer than the signal lets; what was waited for goes on for others. */
async function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await work;
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(signal.reason as Error);
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
