/** Makes recorded calls again, over a socket, and tells what is answered otherwise. */
import { isDeepStrictEqual } from "node:util";

import { toJson } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";

import { codeName, type CriClient } from "../../../src/cri/index.ts";
import { ImageService, RuntimeService } from "../../../src/cri/generated/runtime/v1_pb.ts";
import type { RecordedImage } from "../recording.ts";
import { factOfError, factOfRecorded } from "./facts.ts";
import { type CriLab, makeStandIn, openCriLab, type OpenBackend } from "./lab.ts";
import type { CriRecording, RecordedCall } from "./recording.ts";
import { replayCommands } from "./replay-crictl.ts";

/** Over a store of ours, or another backend. */
export async function replayCri(
  recording: CriRecording,
  openBackend?: OpenBackend,
): Promise<readonly string[]> {
  await using lab = await openCriLab(recording, openBackend);
  if (recording.commands !== undefined) return await replayCommands(recording, lab);
  const differences: string[] = [];
  const known = new Set<string>();
  const standIns: StandIn[] = [];
  for (const [index, call] of (recording.calls ?? []).entries()) {
    pushFor(call, { recording, lab, known, standIns });
    for (const difference of await replayCall(call, lab, standIns)) {
      differences.push(`call ${index + 1}, ${call.method}: ${difference}`);
    }
  }
  return differences;
}

/** What an image of ours stands for. */
interface StandIn {
  readonly ours: RecordedImage;
  readonly theirs: { readonly id: string };
}

interface World {
  readonly recording: CriRecording;
  readonly lab: CriLab;
  readonly known: Set<string>;
  readonly standIns: StandIn[];
}

/** Images are in their registries before the first call; of one that is pushed twice, the next when it was seen. */
function pushFor(call: RecordedCall, { recording, lab, known, standIns }: World): void {
  const asked = (call.registryRequests ?? []).map(({ registry, path }) => `${registry}${path}`);
  for (const image of recording.registry.images) {
    const name = `${image.registry}/${image.repository}:${image.tag ?? ""}`;
    const key = `${name}@${image.digest}`;
    const manifest = `${image.registry}/v2/${image.repository}/manifests/${image.digest}`;
    if (known.has(key) || (known.has(name) && !asked.includes(manifest))) continue;
    known.add(name).add(key);
    lab.push(image);
  }
  const { image } = (call.request["image"] ?? {}) as { readonly image?: string };
  const imageRef = call.response?.["imageRef"];
  const pulled = call.method === "PullImage" && typeof imageRef === "string" && image !== undefined;
  if (!pulled || recording.registry.images.length > 0 || known.has(image)) return;
  known.add(image);
  const ours = makeStandIn(image);
  standIns.push({ ours, theirs: { id: imageRef } });
  lab.push(ours);
}

async function replayCall(
  call: RecordedCall,
  lab: CriLab,
  standIns: readonly StandIn[],
): Promise<readonly string[]> {
  lab.requests.length = 0;
  const { code, response, error } = await make(call, lab.client);
  // The containerd of the recordings is older than these calls.
  if (call.method.startsWith("Stream") && call.code === "Unimplemented") return [];
  if (code !== call.code) {
    return [`${code} (${error?.message ?? "no failure"}), where it was ${call.code}: ${call.message ?? ""}`];
  }
  if (error !== undefined) {
    const [was, is] = [factOfRecorded(call.message ?? ""), factOfError(error)];
    return was === is ? [] : [`it says ${JSON.stringify(is)}, where it was ${JSON.stringify(was)}`];
  }
  const was = comparable(call.method, call.response ?? {});
  const is = comparable(call.method, standIn(response, call.response, standIns));
  const differences = isDeepStrictEqual(is, was)
    ? []
    : [`${JSON.stringify(is)}, where it was ${JSON.stringify(was)}`];
  if (call.method === "PullImage" && standIns.length === 0) differences.push(...compareFetches(call, lab));
  return differences;
}

interface Outcome {
  readonly code: string;
  readonly response: unknown;
  readonly error?: ConnectError;
}

async function make({ method, request }: RecordedCall, client: CriClient): Promise<Outcome> {
  const service = ImageService.methods.some(({ name }) => name === method) ? ImageService : RuntimeService;
  const found = service.methods.find(({ name }) => name === method);
  if (found === undefined) return { code: "no such call", response: undefined };
  const calls = (service === ImageService ? client.images : client.runtime) as unknown as Record<
    string,
    (message: unknown) => Promise<never>
  >;
  try {
    const call = calls[found.localName];
    if (found.methodKind === "server_streaming") {
      const messages = await Array.fromAsync(call?.(request) as unknown as AsyncIterable<never>);
      return { code: "OK", response: join(messages.map((message) => toJson(found.output, message))) };
    }
    return { code: "OK", response: toJson(found.output, (await call?.(request)) as never) };
  } catch (error) {
    const failure = ConnectError.from(error);
    return { code: codeName(failure.code), response: undefined, error: failure };
  }
}

/** A stream's messages as one, with the items of all. */
function join(messages: readonly unknown[]): unknown {
  const joined: Record<string, unknown[]> = {};
  for (const message of messages as readonly Readonly<Record<string, unknown[]>>[]) {
    for (const [name, items] of Object.entries(message)) (joined[name] ??= []).push(...items);
  }
  return joined;
}

/** Without what depends on the machine, the moment, or whose service it is. */
function comparable(method: string, response: unknown): unknown {
  if (method === "Version") return { ...(response as object), runtimeName: "", runtimeVersion: "" };
  if (method === "Status") return isReady(response);
  if (method !== "ImageFsInfo") return response;
  const { imageFilesystems = [], ...rest } = response as {
    readonly imageFilesystems?: readonly Readonly<Record<string, unknown>>[];
  };
  return {
    ...rest,
    imageFilesystems: imageFilesystems.map(({ timestamp, fsId, usedBytes, inodesUsed }) => ({
      timestamp: Number(timestamp) > 0,
      mountpoint: ((fsId as { readonly mountpoint?: string } | undefined)?.mountpoint ?? "") !== "",
      usedBytes: typeof usedBytes,
      inodesUsed: typeof inodesUsed,
    })),
  };
}

/** Networks, handlers and features are of a runtime that has containers. */
function isReady(response: unknown): boolean {
  const { status } = response as {
    readonly status?: { readonly conditions?: readonly Readonly<Record<string, unknown>>[] };
  };
  return status?.conditions?.some(({ type, status: is }) => type === "RuntimeReady" && is === true) === true;
}

/** Our answer about an image of ours, as one about what that stands for. */
function standIn(response: unknown, recorded: unknown, standIns: readonly StandIn[]): unknown {
  let text = JSON.stringify(response);
  const recordedText = JSON.stringify(recorded ?? {});
  const digest = /@(sha256:[0-9a-f]{64})/.exec(recordedText)?.[1] ?? "";
  const size = /"size":"([0-9]+)"/.exec(recordedText)?.[1] ?? "";
  for (const { ours, theirs } of standIns) {
    text = text
      .replaceAll(ours.configDigest ?? "", theirs.id)
      .replaceAll(ours.digest, digest)
      .replaceAll(/"size":"[1-9][0-9]*"/g, `"size":"${size}"`);
  }
  return JSON.parse(text) as unknown;
}

/** The same documents, as the same users. Of layers there are no bytes; and we ask some things more than once. */
function compareFetches(call: RecordedCall, lab: CriLab): string[] {
  const list = (requests: readonly NonNullable<RecordedCall["registryRequests"]>[number][]): string[] => {
    const fetched = requests
      .filter(({ method, status, path }) => method === "GET" && status === 200 && !isLayer(path))
      .map(({ registry, path, authorization }) => `${registry}${path} as ${authorization ?? "nobody"}`);
    return [...new Set(fetched)].toSorted();
  };
  const isLayer = (path: string): boolean => {
    const digest = path.slice(path.lastIndexOf("/") + 1);
    return digest === SHARED_LAYER || lab.layers.has(digest);
  };
  const [was, is] = [list(call.registryRequests ?? []), list(lab.requests)];
  return isDeepStrictEqual(is, was) ? [] : [`it fetched ${is.join(", ")}, where it was ${was.join(", ")}`];
}

/** The one nearly all images of the lab share, also those whose content wasn't recorded. */
const SHARED_LAYER = "sha256:d331cd187abafe4561cb07b8509604606a1de5772d6cbc8325854a279e2cc545";
