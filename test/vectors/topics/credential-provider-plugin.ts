import {
  AnnotationMissingError,
  cacheKey,
  CredentialProviders,
  decodeProviderResponse,
  encodeProviderRequest,
  formatLogEntry,
  mergeEnvironment,
  type PodIdentity,
  ProviderCache,
  Secret,
  serviceAccountKey,
  type ServiceAccountKeyParts,
} from "../../../src/credentials/index.ts";
import { formatDuration } from "../../../src/internal/go/duration.ts";
import { GoError } from "../../../src/internal/go/errors.ts";
import { documentOf, plainAuth, stubProvider, type StubScenario } from "../stub-provider.ts";
import { byOperation, type Comparison, text, type Topic, type Vector } from "../topic.ts";

interface Phase {
  readonly tokenMode?: StubScenario["provider"]["tokenMode"];
  readonly serviceAccount?: StubScenario["serviceAccount"];
  readonly token?: StubScenario["token"];
  readonly expectPluginCalls: number;
}

interface CacheStep {
  readonly add?: {
    readonly baseKey?: string;
    readonly key?: string;
    readonly expiresAfterCreationSeconds: number;
    readonly credentials: Parameters<typeof documentOf>[0];
  };
  readonly advanceSeconds?: number;
  readonly get: string;
  readonly expect: unknown;
  readonly expectKeyCount: number;
}

export const topic: Topic = byOperation({
  provide,
  singleflight,
  parallelProvide,
  cacheSequence,
  encodeRequest(vector) {
    const request = vector["request"] as Readonly<Record<string, unknown>>;
    const annotations = request["serviceAccountAnnotations"] as Readonly<Record<string, string>> | undefined;
    return {
      actual: encodeProviderRequest(text(vector, "apiVersion"), {
        image: (request["image"] ?? "") as string,
        serviceAccountToken: new Secret((request["serviceAccountToken"] ?? "") as string),
        serviceAccountAnnotations: new Map(Object.entries(annotations ?? {})),
      }),
      expected: vector["expect"],
    };
  },
  decodeResponse(vector) {
    try {
      const { cacheKeyType, cacheDuration, auth } = decodeProviderResponse(text(vector, "input"));
      const duration = cacheDuration === undefined ? null : formatDuration(cacheDuration);
      const { auth: wanted, ...expected } = (vector["expect"] ?? {}) as Readonly<Record<string, unknown>>;
      return {
        actual: { error: false, cacheKeyType, cacheDuration: duration, auth: plainAuth(auth) },
        expected: { error: vector["error"] === true, cacheDuration: null, ...expected, auth: wanted ?? {} },
      };
    } catch (error) {
      if (!(error instanceof GoError)) throw error;
      return { actual: { error: true }, expected: { error: vector["error"] === true } };
    }
  },
  mergeEnv(vector) {
    const configured = (vector["configEnv"] ?? []) as readonly {
      readonly name: string;
      readonly value?: string;
    }[];
    return {
      actual: mergeEnvironment(
        (vector["systemEnv"] ?? []) as readonly string[],
        configured.map(({ name, value = "" }) => ({ name, value: new Secret(value) })),
      ),
      expected: vector["expect"] ?? [],
    };
  },
  isRequiredAnnotationNotFound(vector) {
    const inputs = vector["inputs"] as readonly {
      readonly error: string;
      readonly isRequiredAnnotationError: boolean;
      readonly expected: boolean;
    }[];
    return {
      actual: inputs.map(({ error, isRequiredAnnotationError }) => {
        const annotation = /^required annotation (.*) not found$/.exec(error)?.[1] ?? "";
        const thrown = isRequiredAnnotationError
          ? new AnnotationMissingError(annotation)
          : new GoError(error);
        return thrown.message === error && thrown instanceof AnnotationMissingError;
      }),
      expected: inputs.map(({ expected }) => expected),
    };
  },
  registerProvider(vector) {
    const providers = new CredentialProviders();
    try {
      for (const name of vector["register"] as readonly string[]) {
        providers.register(name, stubProvider({ provider: { matchImages: [] } }).provider);
      }
    } catch (error) {
      const { message } = error as Error;
      return {
        actual: { panics: true, message },
        expected: { panics: vector["panics"], message: vector["panicMessage"] ?? message },
      };
    }
    return {
      actual: { panics: false, names: providers.names },
      expected: { panics: vector["panics"] ?? false, names: vector["register"] },
    };
  },
  providePerPodKeyring(vector) {
    const gate = vector["gateKubeletServiceAccountTokenForCredentialProviders"] === true;
    const providers = new CredentialProviders({ serviceAccountTokens: gate });
    for (const name of vector["registered"] as readonly string[]) {
      providers.register(name, stubProvider({ provider: { matchImages: [] } }).provider);
    }
    const given = vector["arguments"] as Readonly<Record<string, string>>;
    const keyring = providers.forPod({
      namespace: given["podNamespace"] ?? "",
      name: given["podName"] ?? "",
      uid: given["podUID"] ?? "",
      serviceAccountName: given["serviceAccountName"] ?? "",
    });
    return {
      actual: { count: keyring.providerNames.length, pod: keyring.pod },
      expected: {
        count: vector["expectProviderCount"],
        pod: (vector["expectFirstProviderPod"] as PodIdentity | undefined) ?? keyring.pod,
      },
    };
  },
});

async function provide(vector: Vector): Promise<Comparison> {
  const { provider, pod, requests, logs } = stubProvider(vector as unknown as StubScenario);
  const { document, serviceAccount } = await provider.provide(text(vector, "image"), pod);
  const expect = vector["expect"] as Readonly<Record<string, unknown>>;
  const { namespace, name, uid } = serviceAccount ?? {};
  const log = logs.map((entry) => formatLogEntry(entry)).join("\n");
  const request = requests[0];
  const actual: Readonly<Record<string, unknown>> = {
    dockerConfig: plainAuth(document),
    serviceAccountCoordinates: serviceAccount === undefined ? null : { namespace, name, uid },
    logContains: log.includes(String(expect["logContains"])) ? expect["logContains"] : log,
    pluginCalls: requests.length,
    cacheKeys: provider.cachedKeys,
    request: request && {
      image: request.image,
      ...(request.serviceAccountToken?.empty === false && {
        serviceAccountToken: request.serviceAccountToken.reveal(),
      }),
      ...(request.serviceAccountAnnotations && {
        serviceAccountAnnotations: Object.fromEntries(request.serviceAccountAnnotations),
      }),
    },
  };
  return {
    actual: Object.fromEntries(Object.keys(expect).map((member) => [member, actual[member]])),
    expected: expect,
  };
}

/** Each phase calls all at once, and the plugin answers only when nothing more happens. */
async function singleflight(vector: Vector): Promise<Comparison> {
  const scenario = vector as unknown as StubScenario;
  const phases = vector["phases"] as readonly Phase[];
  const actual: unknown[] = [];
  for (const { tokenMode, serviceAccount, token } of phases) {
    const stub = stubProvider(
      {
        ...scenario,
        provider: { ...scenario.provider, tokenMode: tokenMode ?? null },
        ...(serviceAccount !== undefined && { serviceAccount }),
        ...(token !== undefined && { token }),
      },
      { latency: () => new Promise((resolve) => setImmediate(resolve)) },
    );
    const calls = Array.from({ length: Number(vector["concurrentCalls"]) }, () =>
      stub.provider.provide(text(vector, "image"), stub.pod),
    );
    const documents = (await Promise.all(calls)).map(({ document }) => plainAuth(document));
    actual.push({ calls: stub.requests.length, documents });
  }
  const documents = Array.from(
    { length: Number(vector["concurrentCalls"]) },
    () => scenario.pluginResponse?.auth,
  );
  return { actual, expected: phases.map(({ expectPluginCalls: calls }) => ({ calls, documents })) };
}

async function parallelProvide(vector: Vector): Promise<Comparison> {
  const stub = stubProvider(vector as unknown as StubScenario, {
    latency: () => new Promise((resolve) => setImmediate(resolve)),
  });
  const registries = vector["registries"] as readonly string[];
  const count = Number(vector["imagesPerRegistry"]);
  const images = registries.flatMap((registry) =>
    Array.from({ length: count }, (_, index) => `${registry}/image-${index}`),
  );
  const provisions = await Promise.all(images.map((image) => stub.provider.provide(image, stub.pod)));
  const expect = vector["expect"] as { readonly dockerConfigForEveryCall: unknown };
  return {
    actual: provisions.map(({ document }) => plainAuth(document)),
    expected: images.map(() => expect.dockerConfigForEveryCall),
  };
}

function cacheSequence(vector: Vector): Comparison {
  let now = 0;
  const cache = new ProviderCache({ now: () => now });
  const params = vector["serviceAccountCacheKeyParams"] as
    | (Omit<ServiceAccountKeyParts, "annotations"> & {
        readonly annotations?: Readonly<Record<string, string>>;
      })
    | null
    | undefined;
  const account = params
    ? serviceAccountKey({
        ...params,
        tokenHash: params.tokenHash ?? "",
        annotations: new Map(Object.entries(params.annotations ?? {})),
      })
    : ((vector["serviceAccountCacheKey"] ?? "") as string);
  const steps = vector["steps"] as readonly CacheStep[];
  const actual = steps.map(({ add, advanceSeconds = 0, get }) => {
    if (add !== undefined) {
      const key = add.key ?? cacheKey(add.baseKey ?? "", account);
      cache.set(key, documentOf(add.credentials), add.expiresAfterCreationSeconds * 1000);
    }
    now += advanceSeconds * 1000;
    const found = cache.find(get, account);
    return { found: found === undefined ? null : plainAuth(found), keys: cache.keys.length };
  });
  return {
    actual,
    expected: steps.map(({ expect, expectKeyCount: keys }) => ({ found: expect ?? null, keys })),
  };
}
