import { Secret, type TrackedCredential } from "../../../src/credentials/index.ts";
import {
  type Annotation,
  checkPulledRef,
  checkStatus,
  type CriImageSpec,
  describeRpcError,
  ensureImageVolumes,
  fromCriSpec,
  ImageManager,
  type ImageSpec,
  type ImageVolume,
  imageVolumesOf,
  ServiceRuntime,
  toCriSpec,
  type VolumeResult,
} from "../../../src/images/index.ts";
import { plainAuth, type ServiceState, StubImageService } from "../images/stub-image-service.ts";
import { byOperation, gate, list, pick, text, type Check, type Topic, type Vector } from "../topic.ts";

type Members = Readonly<Record<string, unknown>>;

interface PlainCredential {
  readonly username: string;
  readonly password: string;
  readonly email?: string;
}

export const topic: Topic = byOperation({
  pull: onService(async (vector, { service, runtime }) => {
    const credentials = list<PlainCredential>(vector, "credentials").map(track);
    const annotations = list<Annotation>(vector, "annotations");
    const { value, error } = await settle(() =>
      runtime.pull(text(vector, "image"), { credentials, annotations }),
    );
    const used = value?.credential === undefined ? -1 : credentials.indexOf(value.credential);
    return {
      imageRef: value?.id ?? "",
      credentialsUsed: ["first", "second", "third"][used] ?? null,
      error,
      repoTagsAfter: [...service.images.values()].map(({ repoTags }) => repoTags),
      runtimeAuths: service.auths.map(plainAuth),
      listedSpecs: (await runtime.list()).map(({ spec }) => ({
        image: spec.image,
        annotations: spec.annotations,
      })),
    };
  }),
  list: onService(async (vector, { runtime }) => {
    const { value = [], error } = await settle(() => runtime.list());
    // An empty list may be written as Go's, which is null.
    const none = (vector["expect"] as Members)["ids"] === null && value.length === 0;
    return {
      ids: none ? null : value.map(({ id }) => id),
      pinned: Object.fromEntries(value.map(({ id, pinned }) => [id, pinned])),
      error,
    };
  }),
  getRef: onService(async (vector, { runtime }) => {
    const { value, error } = await settle(() => runtime.find(text(vector, "image")));
    return { imageRef: value?.id ?? "", error };
  }),
  getSize: onService(async (vector, { runtime }) => {
    const { value = 0, error } = await settle(() => runtime.size(text(vector, "image")));
    return { size: value, error };
  }),
  remove: onService(async (vector, { runtime }) => {
    const { error } = await settle(() => runtime.remove(text(vector, "image")));
    return { error };
  }),
  stats: onService(async (_, { runtime }) => {
    const { value = null, error } = await settle(() => runtime.totalSize());
    return { totalStorageBytes: value, error };
  }),
  toKubeletSpec(vector) {
    const { id, spec } = vector["input"] as { readonly id: string; readonly spec?: Members | null };
    const { image = "", runtimeHandler = "" } = (spec ?? {}) as Partial<CriImageSpec>;
    const annotations = (spec?.["annotations"] ?? {}) as CriImageSpec["annotations"];
    const expected = vector["expect"] as Members;
    return {
      actual: fromCriSpec(
        { id, spec: { image, annotations, runtimeHandler } },
        { byHandler: byHandler(vector) },
      ),
      expected: { ...expected, annotations: list(expected, "annotations") },
    };
  },
  toCRISpec(vector) {
    const input = vector["input"] as Members;
    const { image = "", runtimeHandler = "" } = input as Partial<ImageSpec>;
    const spec: ImageSpec = { image, runtimeHandler, annotations: list(input, "annotations") };
    const expected = vector["expect"] as Members;
    return {
      actual: toCriSpec(spec, { byHandler: byHandler(vector) }),
      expected: { ...expected, annotations: expected["annotations"] ?? {} },
    };
  },
  async getImageVolumes(vector) {
    const images = new ImageManager({ runtime: new ServiceRuntime(new StubImageService()), now: () => 0 });
    const results = await ensureImageVolumes(list<ImageVolume>(vector, "volumes"), {
      ensure: (image, policy) => images.ensure({ image, policy, podUid: "uid" }),
    });
    const expected = (vector["expect"] ?? {}) as Readonly<Record<string, Members>>;
    const shown = [...results].map(([name, result]) => [
      name,
      pick(plainResult(result), Object.keys(expected[name] ?? {})),
    ]);
    return { actual: Object.fromEntries(shown), expected };
  },
  containerImageVolumes(vector) {
    const results = new Map<string, VolumeResult>();
    for (const [name, result] of Object.entries(
      (vector["pullResults"] ?? {}) as Readonly<Record<string, PlainResult>>,
    )) {
      results.set(name, toResult(result));
    }
    const answer = imageVolumesOf(list<string>(vector, "volumeMounts"), results);
    const expected = (vector["expect"] ?? null) as Members | null;
    if (answer?.state === "failed") {
      const { reason, message } = answer.failure;
      const wanted = expected ?? { error: vector["error"] ?? vector["expectError"] };
      const actual = { error: wanted["error"] === true ? true : reason, message, events: answer.events };
      return { actual: pick(actual, Object.keys(wanted)), expected: wanted };
    }
    const actual = answer && Object.fromEntries([...answer.images].map(([name, { image }]) => [name, image]));
    return { actual: actual ?? null, expected };
  },
  criClientPull(vector) {
    const expected = vector["expect"] as Members;
    if (vector["grpcCode"] !== undefined) {
      const error = describeRpcError(text(vector, "grpcCode"), text(vector, "grpcMessage"));
      return { actual: { error }, expected };
    }
    return answered(expected, () => ({
      imageRef: checkPulledRef(text(vector, "image"), text(vector, "responseImageRef")),
    }));
  },
  criClientStatus(vector) {
    const response = vector["response"] as { readonly id: string; readonly size: number } | null;
    return answered(vector["expect"] as Members, () => ({
      imageRef: checkStatus(text(vector, "image"), response ?? undefined)?.id ?? "",
    }));
  },
});

interface Setting {
  readonly service: StubImageService;
  readonly runtime: ServiceRuntime;
}

/** Runs on a service as the case describes it, and compares what the case states. `error` may be told or only said. */
function onService(act: (vector: Vector, setting: Setting) => Promise<Members>): Check {
  return async (vector) => {
    const service = new StubImageService((vector["service"] ?? {}) as ServiceState);
    const results = await act(vector, { service, runtime: new ServiceRuntime(service) });
    const expected = vector["expect"] as Members;
    const error = typeof expected["error"] === "boolean" ? results["error"] !== "" : results["error"];
    const imagesAfter = [...service.images.keys()];
    return { actual: pick({ imagesAfter, ...results, error }, Object.keys(expected)), expected };
  };
}

function answered(expected: Members, act: () => Members): ReturnType<Check> {
  const told = typeof expected["error"] !== "boolean";
  let actual: Members;
  try {
    actual = { error: told ? "" : false, ...act() };
  } catch (error) {
    actual = { error: told ? (error as Error).message : true, imageRef: "" };
  }
  return { actual: pick(actual, Object.keys(expected)), expected };
}

async function settle<T>(
  act: () => Promise<T>,
): Promise<{ readonly value: T | undefined; readonly error: string }> {
  try {
    return { value: await act(), error: "" };
  } catch (error) {
    return { value: undefined, error: error instanceof Error ? error.message : String(error) };
  }
}

function track({ username, password, email = "" }: PlainCredential): TrackedCredential {
  const origin = { kind: "argument", label: "the vector" } as const;
  return { username, password: new Secret(password), email, owner: undefined, hash: "", origin };
}

function byHandler(vector: Vector): boolean {
  return gate(vector, "RuntimeClassInImageCriApi") === true;
}

interface PlainResult {
  readonly image?: string;
  readonly error?: string;
  readonly message?: string;
}

function toResult({ image = "", error, message = "" }: PlainResult): VolumeResult {
  if (error === undefined) {
    return { image: { image, userSpecifiedImage: "", runtimeHandler: "", annotations: [] } };
  }
  return { failure: { state: "failed", decision: undefined, reason: error, message } };
}

function plainResult(result: VolumeResult): Members {
  if ("image" in result) return { ...result.image };
  return { error: result.failure.reason, message: result.failure.message };
}
