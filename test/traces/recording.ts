/**
 * Recordings of a Kubernetes node at work: what was asked of it, and what it answered and when. One JSON file holds one
 * scenario. All times are seconds after the first Pod was sent to the API server.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

export interface RecordedImage {
  readonly registry: string;
  readonly repository: string;
  readonly tag?: string;
  readonly digest: string;
  readonly mediaType: string;
  readonly configDigest?: string;
  readonly layers?: readonly { readonly digest: string; readonly size: number }[];
  readonly manifestText?: string;
  readonly configText?: string;
  readonly indexText?: string;
  readonly manifests?: readonly RecordedImage[];
}

export interface RecordedContainer {
  readonly name: string;
  readonly image: string;
  readonly imagePullPolicy: string;
  readonly restartPolicy?: string;
}

/** What the API server kept of a Pod, or of another object. */
export interface StoredObject {
  readonly containers?: readonly RecordedContainer[];
  readonly initContainers?: readonly RecordedContainer[];
  readonly ephemeralContainers?: readonly RecordedContainer[];
  readonly imagePullSecrets?: readonly { readonly name: string }[];
  readonly imageVolumes?: readonly {
    readonly name: string;
    readonly image: { readonly reference: string; readonly pullPolicy: string };
  }[];
  readonly serviceAccountName?: string;
  readonly restartPolicy?: "Always" | "OnFailure" | "Never";
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
}

export interface ApiObject {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly stringData?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly initContainers?: readonly MountingContainer[];
    readonly containers?: readonly MountingContainer[];
  };
}

interface MountingContainer {
  readonly name: string;
  readonly volumeMounts?: readonly { readonly name: string }[];
}

export interface RecordedStep {
  readonly t: number;
  /** `create`, `patch`, `replace`, `delete`, or words for what happened to the node or a registry. */
  readonly action: string;
  readonly namespace?: string;
  readonly kind?: string;
  readonly name?: string;
  readonly object?: ApiObject;
  /** In a patch, null takes a member away. */
  readonly body?: {
    readonly data?: Readonly<Record<string, string | null>>;
    readonly stringData?: Readonly<Record<string, string>>;
    readonly metadata?: { readonly annotations?: Readonly<Record<string, string | null>> };
  };
  readonly code?: number;
  readonly stored?: StoredObject;
  readonly file?: string;
  readonly content?: unknown;
  /** An image that something was done to by hand. */
  readonly ref?: string;
  readonly image?: string;
}

export interface RecordedState {
  readonly waiting?: { readonly reason?: string; readonly message?: string };
  readonly running?: object;
  readonly terminated?: { readonly exitCode: number; readonly reason?: string };
}

export interface RecordedStatus {
  readonly name: string;
  readonly image: string;
  readonly imageID: string;
  readonly ready: boolean;
  readonly started: boolean | null;
  readonly restartCount: number;
  readonly state: RecordedState;
  readonly lastState?: RecordedState;
}

export interface RecordedSample {
  readonly t: number;
  readonly pod: string;
  readonly phase?: string;
  /** `Status/Reason` by type. */
  readonly conditions?: Readonly<Record<string, string>>;
  readonly initContainerStatuses?: readonly RecordedStatus[];
  readonly containerStatuses?: readonly RecordedStatus[];
  readonly ephemeralContainerStatuses?: readonly RecordedStatus[];
  readonly deleting?: boolean;
  readonly deleted?: boolean;
}

export interface RecordedEvent {
  readonly t: number;
  readonly pod: string;
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  readonly component: string;
  readonly fieldPath?: string | null;
}

export interface RecordedRequest {
  readonly t: number;
  readonly registry: string;
  readonly method: string;
  readonly path: string;
  readonly authorization: string | null;
  /** Null where the connection was cut instead. */
  readonly status: number | null;
  readonly body?: string;
}

export interface RecordedCall {
  readonly t: number;
  readonly provider: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: unknown;
  readonly stdoutJSON?: unknown;
  readonly stdout?: string;
  readonly stderr: string;
  /** Null for one that was killed, since it took too long. */
  readonly exitCode: number | null;
}

export interface RecordFile {
  readonly file: string;
  readonly content: Readonly<Record<string, unknown>>;
}

export interface RecordedNodeImage {
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly size: string;
}

export interface Recording {
  readonly scenario: string;
  readonly title: string;
  readonly kubelet: {
    readonly config: Readonly<Record<string, unknown>>;
    readonly nodeFiles?: Readonly<Record<string, unknown>>;
    readonly credentialProviderConfig?: unknown;
  };
  readonly registry: { readonly notes?: readonly string[]; readonly images: readonly RecordedImage[] };
  readonly nodeImagesBefore: readonly { readonly ref: string }[];
  readonly steps: readonly RecordedStep[];
  readonly durationSeconds: number;
  readonly samples: readonly RecordedSample[];
  readonly events: readonly RecordedEvent[];
  readonly registryRequests: readonly RecordedRequest[];
  readonly credentialProviderCalls?: readonly RecordedCall[];
  readonly nodeImagesAfter: readonly RecordedNodeImage[];
  readonly imageManagerRecords: {
    readonly pulled: readonly RecordFile[];
    readonly pulling: readonly RecordFile[];
  };
  readonly imageManagerRecordsDuring?: Readonly<Record<string, readonly RecordFile[]>>;
}

export class RecordingError extends Error {}

/** The recordings of a folder, by name. */
export async function* readRecordings(folder: string): AsyncGenerator<Recording> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new RecordingError(`Cannot read folder ${JSON.stringify(folder)}`, { cause });
  });
  for (const name of names.toSorted()) {
    if (!name.endsWith(".json")) continue;
    const text = await readFile(join(folder, name), "utf8");
    try {
      yield JSON.parse(text) as Recording;
    } catch (cause) {
      throw new RecordingError(`Cannot read recording ${JSON.stringify(name)}: not JSON`, { cause });
    }
  }
}
