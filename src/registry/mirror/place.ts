import { isRepositoryName, type RouteMatch } from "../../oci/index.ts";
import type { CompiledMirror, UpstreamSettings } from "./config.ts";
import type { Upstream } from "./upstream.ts";

/** An upstream that is served here. */
export interface MirroredUpstream {
  readonly settings: UpstreamSettings;
  /** Guarded: asking it may be refused without a request. */
  readonly upstream: Upstream;
}

/** One repository of an upstream, as it is called there and here. */
export interface MirrorPlace extends MirroredUpstream {
  /** `library/nginx` */
  readonly remote: string;
  /** `hub/library/nginx`: what policies, metadata and lists know it by. */
  readonly local: string;
}

export type Placed =
  | { readonly kind: "mirrored"; readonly place: MirrorPlace }
  /** An upstream's, but not one of those served here, or nothing that could be there. */
  | { readonly kind: "refused"; readonly reason: string };

/** Says whose repository a request is about. */
export class MirrorPlaces {
  readonly #byPrefix = new Map<string, MirroredUpstream>();
  readonly #byRegistry = new Map<string, MirroredUpstream>();
  readonly #local: ReadonlySet<string>;

  constructor(upstreams: readonly MirroredUpstream[], config: Pick<CompiledMirror, "local">) {
    this.#local = config.local;
    for (const one of upstreams) {
      this.#byPrefix.set(one.settings.prefix, one);
      this.#byRegistry.set(one.settings.registry.toLowerCase(), one);
    }
  }

  /**
   * `undefined` for a repository of our own. containerd tells by `ns` whose repository it means, where the path has
   * only its name there; all others put the upstream's prefix before the name.
   */
  find(match: Extract<RouteMatch, { readonly name: string }>, ns: string | null): Placed | undefined {
    if (ns === null || this.#local.has(ns)) return this.#findByPrefix(match.name);
    const named = this.#byRegistry.get(canonicalRegistry(ns));
    if (named !== undefined) return placeIn(named, match.name);
    // Ours of the same name would be somebody else's content to the one who asks.
    return { kind: "refused", reason: `Registry ${JSON.stringify(ns.slice(0, 300))} is not mirrored here` };
  }

  /** The upstream that has this repository, by the name it has here. */
  upstreamOf(local: string): MirroredUpstream | undefined {
    return this.#split(local)?.upstream;
  }

  #findByPrefix(name: string): Placed | undefined {
    const found = this.#split(name);
    return found === undefined ? undefined : placeIn(found.upstream, found.remote);
  }

  #split(name: string): { readonly upstream: MirroredUpstream; readonly remote: string } | undefined {
    for (let end = name.lastIndexOf("/"); end > 0; end = name.lastIndexOf("/", end - 1)) {
      const upstream = this.#byPrefix.get(name.slice(0, end));
      if (upstream !== undefined) return { upstream, remote: name.slice(end + 1) };
    }
    const rest = this.#byPrefix.get("");
    return rest === undefined ? undefined : { upstream: rest, remote: name };
  }
}

function placeIn(upstream: MirroredUpstream, asked: string): Placed {
  const { registry, prefix, repositories } = upstream.settings;
  // As every client does for names without a registry.
  const remote = registry === "docker.io" && !asked.includes("/") ? `library/${asked}` : asked;
  const local = prefix === "" ? remote : `${prefix}/${remote}`;
  const name = JSON.stringify(`${registry}/${remote}`);
  if (!isRepositoryName(local)) return { kind: "refused", reason: `The name ${name} is too long here` };
  if (!repositories.allows(remote))
    return { kind: "refused", reason: `Repository ${name} is not mirrored here` };
  return { kind: "mirrored", place: { ...upstream, remote, local } };
}

function canonicalRegistry(ns: string): string {
  const name = ns.toLowerCase();
  return name === "index.docker.io" || name === "registry-1.docker.io" ? "docker.io" : name;
}
