import type { TlsSettings } from "./http.ts";

/** What a configured host may be asked for. `pull`: fetch by digest; `resolve`: tag to digest. */
export type HostCapability = "pull" | "resolve" | "push" | "referrers";

/** One endpoint to try for a registry: a mirror, or the registry itself. */
export interface RegistryHost {
  readonly scheme: "http" | "https";
  /** Host with optional port, as contacted: `registry-1.docker.io`. */
  readonly host: string;
  /** Base path: `/v2`, or what `override_path` left. */
  readonly path: string;
  readonly capabilities: ReadonlySet<HostCapability>;
  readonly tls: TlsSettings;
  /** Extra headers for this host and its token service, never for others; lower-case names. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
  /** Milliseconds. */
  readonly dialTimeout?: number | undefined;
  /** https is tried first; http when the server turns out not to speak TLS. */
  readonly httpFallback: boolean;
  /** The last entry, which stands for the registry of the image name itself. */
  readonly upstream: boolean;
}

/** The endpoints for the registry of an image name, in the order to try. */
export interface HostResolver {
  hosts(
    domain: string,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<readonly RegistryHost[]>;
}
