/**
 * A mirror of other registries, which fetches what it is asked for and keeps it.
 *
 * ```text
 * request ─► MirrorPlaces    whose repository is it?            /v2/hub/library/nginx/…, or ?ns=docker.io
 *         ─► MirrorAdmission may this caller have it?           our policies, or the upstream's word
 *         ─► MirrorManifests, MirrorBlobs, lists                from here, or from there and kept
 *               └─► gate ─► Upstream                            at most as often as it wants to be asked
 * ```
 */
import type { RouteMatch } from "../../oci/index.ts";
import type { AccessControl } from "../access.ts";
import { MirrorAdmission, guardAccess } from "./admission.ts";
import { CacheSpace } from "./cache-space.ts";
import { compileMirrorConfig, type MirrorConfig, type UpstreamSettings } from "./config.ts";
import type { MirrorEvent, MirrorEventListener } from "./events.ts";
import { guardUpstream, UpstreamGate } from "./gate.ts";
import { MirrorBlobs } from "./blobs.ts";
import { MirrorManifests } from "./manifests.ts";
import { MirrorPlaces, type MirroredUpstream } from "./place.ts";
import { answerMirrored, type MirrorParts } from "./answer.ts";
import { Slots } from "./slots.ts";
import { MirrorState } from "./state.ts";
import type { Upstream } from "./upstream.ts";
import type { RegistryContext } from "../context.ts";
import type { RegistryRequest, RegistryResponse } from "../request.ts";

/** Where a mirror keeps what it remembers, in the registry's folder. */
export const MIRROR_FILE = "mirror.db";

export interface OpenMirrorOptions {
  /** Opens an upstream; the mirror closes it. */
  readonly open: (settings: UpstreamSettings) => Upstream | Promise<Upstream>;
  /** The file where times, sizes and uses are kept; in memory by default. */
  readonly path?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly clock?: (() => number) | undefined;
  readonly onEvent?: MirrorEventListener | undefined;
  /** Told of failures that neither a caller nor an upstream is to blame for. */
  readonly onFailure?: ((error: unknown) => void) | undefined;
}

/** What a registry asks of its mirror. It closes it, too. */
export interface Mirror extends AsyncDisposable {
  /** `undefined` for what is the registry's own. */
  answer(
    context: RegistryContext,
    request: RegistryRequest,
    match: RouteMatch,
  ): Promise<RegistryResponse> | undefined;
  /** Access control that knows what only upstreams give away. */
  guard(access: AccessControl): AccessControl;
  /** Resolves when nothing runs in the background: checks, fetches, evictions. */
  settled(): Promise<void>;
  /** Ends what is being fetched; requests that wait for it fail. What came is kept for the next time. */
  stop(): Promise<void>;
}

/**
 * Opens a mirror, for `openRegistry({ mirror })`.
 *
 * @throws RegistryError `CONFIG_INVALID`; DatabaseError; whatever opening an upstream throws
 */
export async function openMirror(config: MirrorConfig, options: OpenMirrorOptions): Promise<Mirror> {
  const { clock = Date.now, onEvent: listener, onFailure = ignore } = options;
  const compiled = compileMirrorConfig(config);
  await using opened = new AsyncDisposableStack();
  const state = opened.use(new MirrorState(options.path ?? ":memory:", clock));
  const upstreams: MirroredUpstream[] = [];
  for (const settings of compiled.upstreams) {
    const gate = new UpstreamGate({ settings, clock });
    const upstream = opened.use(await options.open(settings));
    upstreams.push({ settings, upstream: guardUpstream(upstream, gate, new Slots(settings.downloads)) });
  }
  const places = new MirrorPlaces(upstreams, compiled);
  const onEvent = (event: MirrorEvent): void => {
    // What was mirrored from a registry that the configuration doesn't name any more may still be evicted.
    listener?.(event, places.upstreamOf(event.repository)?.settings.registry ?? "");
  };
  const space = new CacheSpace({ state, limit: compiled.cacheSize, clock, onEvent, onFailure });
  const manifests = new MirrorManifests({ state, clock, onEvent, onFailure });
  const blobs = new MirrorBlobs({ state, space, clock, onEvent, onFailure });
  const { askForLogin } = compiled;
  const parts: MirrorParts = { places, admission: new MirrorAdmission(clock), manifests, blobs, askForLogin };
  const owned = opened.move();
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await blobs.close();
    await space.close();
    await manifests.settled();
    await owned.disposeAsync();
  };
  const isPrivate = (name: string): boolean => places.upstreamOf(name)?.settings.credentials === "callers";
  const anyPrivate = upstreams.some(({ settings }) => settings.credentials === "callers");
  return {
    answer: (context, request, match) => answerMirrored(parts, { context, request, match }),
    guard: (access) => (anyPrivate ? guardAccess(access, isPrivate) : access),
    settled: async () => {
      await manifests.settled();
      await space.settled();
    },
    stop: () => blobs.close(),
    [Symbol.asyncDispose]: () => (closing ??= close()),
  };
}

function ignore(): void {}
