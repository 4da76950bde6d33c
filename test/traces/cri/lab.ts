/**
 * The lab's registries and an image service before them. `localhost:5020` misbehaves by the repository's name, as its
 * recordings say in words: `e503-…` answers with that status, `blobcorrupt…` changes a byte of every blob, and so on.
 */
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { ConfiguredHosts, RegistryClient } from "../../../src/client/index.ts";
import {
  type ContainerdBackendOptions,
  type CriClient,
  type ImageBackend,
  openCriClient,
  PullAuths,
  serveCri,
  StoreBackend,
} from "../../../src/cri/index.ts";
import { StoreRuntime } from "../../../src/images/index.ts";
import type { Platform } from "../../../src/oci/index.ts";
import { openMemoryStore } from "../../../src/store/index.ts";
import { LabRegistry } from "../lab-registry.ts";
import type { RecordedImage, RecordedRequest } from "../recording.ts";
import { VirtualClock } from "../virtual-clock.ts";
import type { CriRecording } from "./recording.ts";
import { layersOf, withLayers } from "../with-layers.ts";

const PLATFORM: Platform = { os: "linux", architecture: "amd64" };
/** What the lab's containerd made containers' sandboxes of. */
export const SANDBOX_IMAGE = "localhost:5001/pause:3.10";

export interface CriLab extends AsyncDisposable {
  readonly client: CriClient;
  /** What registries were asked. */
  readonly requests: RecordedRequest[];
  /** Digests of what isn't there to be fetched: the recordings tell of layers without having them. */
  readonly layers: ReadonlySet<string>;
  /** Puts an image into its registry. */
  push(image: RecordedImage): void;
}

/** What a backend of the lab works with. */
export type LabParts = Pick<
  ContainerdBackendOptions,
  "registry" | "auths" | "platform" | "folder" | "pinned" | "now"
>;

/** Opens another backend than that of a store of ours. */
export type OpenBackend = (
  parts: LabParts,
  recording: Pick<CriRecording, "registry">,
) => Promise<ImageBackend & AsyncDisposable>;

export async function openCriLab(
  recording: Pick<CriRecording, "registry">,
  openBackend?: OpenBackend,
): Promise<CriLab> {
  const stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "dray-cri-"));
  stack.defer(() => rm(folder, { recursive: true }));
  const clock = new ImpatientClock(Date.UTC(2026, 0, 1));
  const notes = (repository: string): readonly string[] => notesOf(repository);
  const registries = new Registries(clock, notes);
  const store = stack.use(openMemoryStore());
  const auths = new PullAuths();
  const layers = layersOf(recording.registry.images);
  const parts: LabParts = {
    platform: PLATFORM,
    auths,
    folder,
    pinned: [SANDBOX_IMAGE],
    now: Date.now,
    registry: (reference, credential) => {
      const source = credential ? auths.sourceOf(credential) : undefined;
      const client = new RegistryClient({
        hosts: new ConfiguredHosts(),
        credentials: source,
        fetch: registries.fetch,
        // Nobody waits here.
        sleep: async () => {},
      });
      return client.repository(reference.domain, reference.path);
    },
  };
  const backend =
    openBackend === undefined
      ? new StoreBackend({
          ...parts,
          store: withLayers(store, layers),
          runtime: new StoreRuntime({
            platform: PLATFORM,
            registry: (reference, credential) => parts.registry(reference, credential ?? null),
            store: withLayers(store, layers),
          }),
          collect: ({ signal }) => store.collect({ signal, grace: 0 }),
        })
      : stack.use(await openBackend(parts, recording));
  const socket = join(folder, "cri.sock");
  stack.use(
    await serveCri({
      socket: { path: socket },
      backend,
      runtime: { name: "dray", version: "0.0.1", cgroupDriver: "cgroupfs", config: {} },
      now: Date.now,
    }),
  );
  const client = stack.use(openCriClient(socket));
  return {
    client,
    requests: registries.requests,
    layers,
    push: (image) => registries.push(image),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Calls come one after another over a real socket: nobody would turn a clock that has to be turned. */
class ImpatientClock extends VirtualClock {
  override readonly sleep = async (): Promise<void> => {};
}

/** One lab registry for each way of misbehaving. */
class Registries {
  readonly requests: RecordedRequest[] = [];
  readonly #clock: VirtualClock;
  readonly #notesOf: (repository: string) => readonly string[];
  readonly #byNotes = new Map<string, LabRegistry>();

  constructor(clock: VirtualClock, notes: (repository: string) => readonly string[]) {
    this.#clock = clock;
    this.#notesOf = notes;
  }

  push(image: RecordedImage): void {
    this.#for(image.repository, image.registry).push(image);
  }

  readonly fetch = async (request: Request): Promise<Response> => {
    const url = new URL(request.url);
    const repository = /^\/v2\/(.+)\/(?:manifests|blobs)\//.exec(url.pathname)?.[1] ?? "";
    const broken = url.host === BROKEN ? failureOf(repository, url.pathname, request.method) : undefined;
    if (broken !== undefined && url.protocol === "http:") return this.#log(request, url, broken);
    const registry = this.#for(repository, url.host);
    const before = registry.requests.length;
    try {
      return await registry.fetch(request);
    } finally {
      this.requests.push(...registry.requests.slice(before));
    }
  };

  #log(request: Request, url: URL, response: Response): Response {
    this.requests.push({
      t: 0,
      registry: url.host,
      method: request.method,
      path: url.pathname,
      authorization: request.headers.get("authorization"),
      status: response.status,
    });
    return response;
  }

  #for(repository: string, host: string): LabRegistry {
    const notes = host === BROKEN ? this.#notesOf(repository) : [];
    const key = notes.join("\n");
    let registry = this.#byNotes.get(key);
    if (registry === undefined) {
      const recording = {
        scenario: "",
        title: "",
        kubelet: { config: {} },
        registry: { notes, images: [] },
        nodeImagesBefore: [],
        steps: [],
        durationSeconds: 0,
        samples: [],
        events: [],
        registryRequests: [],
        nodeImagesAfter: [],
        imageManagerRecords: { pulled: [], pulling: [] },
      };
      registry = new LabRegistry(recording, this.#clock);
      registry.startRepeating();
      this.#byNotes.set(key, registry);
    }
    return registry;
  }
}

const BROKEN = "localhost:5020";

function notesOf(repository: string): readonly string[] {
  if (repository.startsWith("blobcorrupt")) return ["one byte of every blob is changed"];
  if (repository.startsWith("html200")) return ["status 200, text/html"];
  if (repository.startsWith("schema1")) return ["the manifest is Docker schema 1"];
  if (repository.startsWith("nodigest")) return ["manifest answers carry no Docker-Content-Digest header"];
  return [];
}

function failureOf(repository: string, path: string, method: string): Response | undefined {
  const status = /^(?:e|html)([45][0-9]{2})\b/.exec(repository)?.[1];
  if (repository.startsWith("blob404") && path.includes("/blobs/")) return answer(404, method, false);
  if (status === undefined) return undefined;
  return answer(Number(status), method, /^html|^e[0-9]+-html/.test(repository));
}

const CODES: Readonly<Record<number, string>> = {
  401: "UNAUTHORIZED",
  403: "DENIED",
  404: "MANIFEST_UNKNOWN",
  429: "TOOMANYREQUESTS",
};

function answer(status: number, method: string, html: boolean): Response {
  const code = CODES[status] ?? "UNKNOWN";
  const body = html
    ? "<html><body>Lab</body></html>"
    : JSON.stringify({ errors: [{ code, message: "lab" }] });
  const headers = { "content-type": html ? "text/html" : "application/json" };
  return new Response(method === "HEAD" ? null : body, { status, headers });
}

/** An image for a name whose content wasn't recorded: what it stands for is told apart from what it is. */
export function makeStandIn(image: string): RecordedImage {
  const [, registry = "", repository = "", tag = ""] = /^([^/]+)\/(.+):([^:/]+)$/.exec(image) ?? [];
  const configText = JSON.stringify({
    architecture: "amd64",
    os: "linux",
    config: { Labels: { standsFor: image } },
    rootfs: { type: "layers", diff_ids: [] },
  });
  const configDigest = digestOf(configText);
  const manifestText = JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: {
      mediaType: "application/vnd.oci.image.config.v1+json",
      digest: configDigest,
      size: configText.length,
    },
    layers: [],
  });
  const digest = digestOf(manifestText);
  return { registry, repository, tag, digest, mediaType: MANIFEST, configDigest, manifestText, configText };
}

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

function digestOf(text: string): string {
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}
