import {
  type CredentialOwner,
  decodeDocument,
  type ImageKeyring,
  Keyring,
  type PullSecret,
  Secret,
  type TrackedCredential,
} from "../../../src/credentials/index.ts";
import {
  type AccessDecision,
  type AccessKeeper,
  type Annotation,
  BackOff,
  classifyPullError,
  defaultImageConfig,
  type EnsureOutcome,
  type EnsurePod,
  type ImageEvent,
  ImageManager,
  type ImageRuntime,
  METRICS,
  type PodCredentials,
  pullLimits,
  ServiceRuntime,
} from "../../../src/images/index.ts";
import { plainAuth, StubImageService } from "../images/stub-image-service.ts";
import { byOperation, gate, list, pick, text, type Comparison, type Topic, type Vector } from "../topic.ts";

type Members = Readonly<Record<string, unknown>>;

interface Coordinates {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
}

interface PlainCredential {
  readonly username: string;
  readonly password: string;
  readonly source?: CredentialOwner | null;
  readonly authConfigHash?: string;
}

interface PlainSecret {
  readonly metadata?: Partial<Coordinates>;
  readonly type: string;
  readonly data?: Readonly<Record<string, string>>;
}

interface Input {
  readonly image: string;
  readonly imagePullPolicy: string;
  readonly qps?: number;
  readonly burst?: number;
  readonly pullSecrets?: readonly PlainSecret[] | null;
  readonly serviceAccountName?: string;
  readonly registryCredentials?: Readonly<Record<string, readonly PlainCredential[]>>;
  readonly runtimeHandler?: string;
}

interface PlainRuntime {
  readonly localImages?: readonly string[] | null;
  readonly inspectError?: string | null;
  readonly pullError?: string | null;
  readonly blockPulls?: boolean;
}

interface AccessRules {
  readonly allowAll?: boolean;
  readonly allowedSecrets?: Readonly<Record<string, readonly Coordinates[]>>;
  readonly allowedServiceAccounts?: Readonly<Record<string, readonly Coordinates[]>>;
}

interface Call {
  readonly expect: Members;
  readonly derived?: { readonly events?: readonly PlainEvent[]; readonly message?: string };
}

interface PlainEvent {
  readonly type: string;
  readonly reason: string;
  readonly message?: string;
  readonly messagePattern?: string;
}

const STUB = { kind: "argument", label: "the vector" } as const;

export const topic: Topic = byOperation({
  async ensureImageExists(vector) {
    return await inEveryMode(vector, async (limit) => {
      const world = new World(vector, limit);
      const calls = vector["calls"] as readonly Call[];
      const results = [];
      for (const call of calls) {
        world.elapse();
        results.push(shown(call, await world.ensure()));
      }
      const first = new World(vector, limit);
      first.elapse();
      await first.ensure();
      return {
        actual: { calls: results.map(({ actual }) => actual), metric: first.requests },
        expected: {
          calls: results.map(({ expected }) => expected),
          metric: vector["firstCallMetric"] === undefined ? first.requests : [vector["firstCallMetric"]],
        },
      };
    });
  },
  classifyPullError(vector) {
    const { reason, message } = classifyPullError(text(vector, "runtimeError"), text(vector, "image"));
    const part = vector["expectMessageContains"];
    return {
      actual: {
        reason,
        message: typeof part === "string" && message.includes(part) ? part : message,
      },
      expected: { reason: vector["expectError"], message: vector["expectMessage"] ?? part },
    };
  },
  async pullThenList(vector) {
    return await inEveryMode(vector, async (limit) => {
      const world = new World(vector, limit);
      const made = await world.ensure();
      const expected = vector["expect"] as Members;
      const listed = (await world.runtime.list()).map(({ id, spec: { runtimeHandler, annotations } }) => ({
        id,
        spec: { runtimeHandler, annotations },
      }));
      return { actual: pick({ ...summarize(made), listedImages: listed }, Object.keys(expected)), expected };
    });
  },
  async ensureImageExistsTracking(vector) {
    return await inEveryMode(vector, async (limit) => {
      const world = new World(vector, limit);
      const made = await world.ensure();
      const asked = world.asked;
      const given = vector["expect"] as Members;
      const passed = ["secretsPassed", "serviceAccountsPassed"].filter((name) => name in given);
      const expected = { ...given, ...Object.fromEntries(passed.map((name) => [name, list(given, name)])) };
      const account = asked?.serviceAccount;
      const actual = {
        ...summarize(made),
        mustAttemptCalled: asked !== undefined,
        secretsPassed: asMuch(asked?.secrets ?? [], list(given, "secretsPassed")),
        serviceAccountsPassed: account === undefined ? [] : [account],
      };
      return { actual: pick(actual, Object.keys(expected)), expected };
    });
  },
  parallelLimit,
  pullWithSecrets,
});

/** What one call did. */
interface Made {
  readonly outcome: EnsureOutcome;
  readonly calls: readonly string[];
  readonly events: readonly ImageEvent[];
  readonly started: boolean;
  readonly finished: boolean;
}

/** A manager with everything around it as a case describes it. */
class World {
  readonly service: StubImageService;
  readonly runtime: ServiceRuntime;
  readonly requests: Members[] = [];
  /** What the pull manager was given to judge by, once it was asked. */
  asked: PodCredentials | undefined;
  readonly #vector: Vector;
  readonly #input: Input;
  readonly #manager: ImageManager;
  #calls: string[] = [];
  #now = 1_000_000;

  constructor(vector: Vector, maxParallelPulls: number) {
    this.#vector = vector;
    this.#input = vector["input"] as Input;
    const { localImages, inspectError, pullError } = (vector["runtime"] ?? {}) as PlainRuntime;
    this.service = new StubImageService({
      images: localImages ?? [],
      errors: {
        ...(typeof inspectError === "string" && { ImageStatus: inspectError }),
        ...(typeof pullError === "string" && { PullImage: pullError }),
      },
    });
    this.runtime = new ServiceRuntime(this.service);
    const environment = (vector["environment"] ?? {}) as Readonly<Record<string, number>>;
    const { qps = 0, burst = 0 } = this.#input;
    const now = (): number => this.#now;
    this.#manager = new ImageManager({
      runtime: this.#recordingRuntime(),
      now,
      maxParallelPulls,
      rate: { qps, burst },
      backOff: new BackOff({
        initial: (environment["backoffInitialSeconds"] ?? 1) * 1000,
        max: (environment["backoffMaxSeconds"] ?? 60) * 1000,
        now,
      }),
      keyring: () => stubKeyring(this.#input.registryCredentials ?? {}),
      access: this.#accessKeeper(),
      ensureSecretPulled: gate(vector, "KubeletEnsureSecretPulledImages") ?? true,
      metrics: {
        count: (name, labels) => void (name === METRICS.ensureImage && this.requests.push(labels)),
        set: () => {},
        observe: () => {},
      },
    });
  }

  elapse(): void {
    const environment = (this.#vector["environment"] ?? {}) as Readonly<Record<string, number>>;
    this.#now += (environment["clockStepSeconds"] ?? 1) * 1000;
  }

  async ensure(): Promise<Made> {
    this.#calls = [];
    const events: ImageEvent[] = [];
    const phases: string[] = [];
    const { image, imagePullPolicy, runtimeHandler } = this.#input;
    const pod = this.#pod();
    const outcome = await this.#manager.ensure({
      image,
      policy: imagePullPolicy,
      podUid: pod.uid,
      pod,
      annotations: this.#annotations(),
      runtimeHandler,
      pullSecrets: list<PlainSecret>({ ...this.#input }, "pullSecrets").map(toPullSecret),
      onEvent: (event) => void events.push(event),
      onPulling: (phase) => void phases.push(phase),
    });
    const started = phases.includes("started");
    // The stub of the original counts an end only after a beginning.
    const finished = started && phases.indexOf("finished") > phases.indexOf("started");
    return { outcome, calls: this.#calls, events, started, finished };
  }

  #pod(): EnsurePod {
    const environment = (this.#vector["environment"] ?? {}) as Readonly<Record<string, string>>;
    const { uid, name, namespace, serviceAccountName } = (this.#vector["pod"] ?? {}) as Partial<EnsurePod>;
    return {
      uid: uid ?? environment["podUID"] ?? "",
      name: name ?? environment["podName"] ?? "",
      namespace: namespace ?? environment["podNamespace"] ?? "",
      serviceAccountName: serviceAccountName ?? this.#input.serviceAccountName ?? "",
    };
  }

  #annotations(): readonly Annotation[] {
    const { annotations = {} } = (this.#vector["pod"] ?? {}) as {
      readonly annotations?: Readonly<Record<string, string>>;
    };
    return Object.entries(annotations).map(([name, value]) => ({ name, value }));
  }

  /** Calls by the names of the kubelet's runtime manager: a status within a pull asks for the size. */
  #recordingRuntime(): ImageRuntime {
    let pulling = false;
    this.service.onStatus = () => void this.#calls.push(pulling ? "GetImageSize" : "GetImageRef");
    return {
      find: (image, options) => this.runtime.find(image, options),
      pull: async (image, options) => {
        this.#calls.push("PullImage");
        pulling = true;
        try {
          return await this.runtime.pull(image, options);
        } finally {
          pulling = false;
        }
      },
    };
  }

  #accessKeeper(): AccessKeeper {
    const rules = (this.#vector["pullManager"] ?? {}) as AccessRules;
    const fixed = this.#vector["mustAttemptImagePullReturns"];
    return {
      recordPullIntent: () => Promise.resolve(),
      recordImagePulled: () => Promise.resolve(),
      recordImagePullFailed: () => Promise.resolve(),
      mustAttemptImagePull: async (image, _, findCredentials): Promise<AccessDecision> => {
        if (rules.allowAll === true) return decide(false);
        let shownCredentials: PodCredentials;
        try {
          shownCredentials = await findCredentials();
        } catch (cause) {
          return { mustPull: true, because: "credentials-unavailable", result: "error", cause };
        }
        this.asked = shownCredentials;
        if (typeof fixed === "boolean") return decide(fixed);
        const { secrets, serviceAccount } = shownCredentials;
        const known = (list: readonly Coordinates[] = [], one: Coordinates): boolean =>
          list.some(
            (other) => other.uid === one.uid && other.namespace === one.namespace && other.name === one.name,
          );
        const allowed =
          secrets.some((secret) => known(rules.allowedSecrets?.[image], secret)) ||
          (serviceAccount !== undefined && known(rules.allowedServiceAccounts?.[image], serviceAccount));
        return decide(!allowed);
      },
    };
  }
}

function decide(mustPull: boolean): AccessDecision {
  return mustPull
    ? { mustPull, because: "credentials-not-recorded", result: "mustAuthenticate" }
    : { mustPull, because: "policy-allows", result: "credentialPolicyAllowed" };
}

async function inEveryMode(
  vector: Vector,
  run: (maxParallelPulls: number) => Promise<Comparison>,
): Promise<Comparison> {
  const modes = (vector["modes"] ?? ["serial"]) as readonly string[];
  const results = [];
  for (const mode of modes) results.push(await run(mode === "serial" ? 1 : Number.POSITIVE_INFINITY));
  return { actual: results.map(({ actual }) => actual), expected: results.map(({ expected }) => expected) };
}

function summarize({ outcome, calls, events, started, finished }: Made): Members {
  return {
    runtimeCalls: calls,
    error: outcome.state === "failed" ? outcome.reason : "",
    startedPullingRecorded: started,
    finishedPullingRecorded: finished,
    eventReasons: events.map(({ reason }) => reason),
    message: outcome.message,
  };
}

function shown({ expect, derived }: Call, made: Made): Comparison {
  const { messageContains, ...rest } = expect;
  const summary = summarize(made);
  const { message } = made.outcome;
  const actual: Record<string, unknown> = pick(summary, Object.keys(rest));
  const expected: Record<string, unknown> = { ...rest };
  if (typeof messageContains === "string") {
    actual["contained"] = message.includes(messageContains) ? messageContains : message;
    expected["contained"] = messageContains;
  }
  if (derived?.message !== undefined) {
    actual["message"] = message;
    expected["message"] = derived.message;
  }
  if (derived?.events !== undefined) {
    actual["events"] = made.events.map((event, index) => matched(event, derived.events?.[index]));
    expected["events"] = derived.events;
  }
  return { actual, expected };
}

/** The event as the expectation writes it: with the pattern its message fits, where there is one. */
function matched(event: ImageEvent, wanted: PlainEvent | undefined): unknown {
  const pattern = wanted?.messagePattern;
  if (pattern === undefined || !new RegExp(pattern).test(event.message)) return { ...event };
  return { type: event.type, reason: event.reason, messagePattern: pattern };
}

function toPullSecret({ metadata = {}, type, data = {} }: PlainSecret): PullSecret {
  const { uid = "", namespace = "", name = "" } = metadata;
  const bytes = Object.entries(data).map(([key, value]) => [key, Buffer.from(value)] as const);
  return { uid, namespace, name, type, data: Object.fromEntries(bytes) };
}

function stubKeyring(byRepository: NonNullable<Input["registryCredentials"]>): ImageKeyring {
  return {
    lookup(repository) {
      const credentials = (byRepository[repository] ?? []).map(
        ({ username, password, source, authConfigHash }): TrackedCredential => ({
          username,
          password: new Secret(password),
          email: "",
          owner: source ?? undefined,
          hash: authConfigHash ?? "",
          origin: STUB,
        }),
      );
      return { credentials, found: credentials.length > 0 };
    },
  };
}

/** The items with no more members than those of the expected ones, which may leave the hash out. */
function asMuch(items: readonly object[], wanted: readonly object[]): readonly unknown[] {
  return items.map((item, index) => pick({ ...item }, Object.keys(wanted[index] ?? item)));
}

interface LimitStep {
  readonly startCalls?: number;
  readonly unblockPulls?: number;
  readonly waitAll?: boolean;
  readonly expectPullImageCalls: number;
}

async function parallelLimit(vector: Vector): Promise<Comparison> {
  const input = vector["input"] as Input;
  const blocked: (() => void)[] = [];
  let pulls = 0;
  const runtime: ImageRuntime = {
    find: () => Promise.resolve(undefined),
    pull: async () => {
      pulls++;
      await new Promise<void>((resolve) => void blocked.push(resolve));
      return { id: input.image, digest: undefined, size: 0 };
    },
  };
  const manager = new ImageManager({
    runtime,
    now: () => 0,
    rate: { qps: 0, burst: 0 },
    maxParallelPulls: pullLimits(
      defaultImageConfig({
        serializeImagePulls: false,
        maxParallelImagePulls: (vector["maxParallelImagePulls"] ?? undefined) as number | undefined,
      }),
    ).maxParallelPulls,
  });
  const running: Promise<EnsureOutcome>[] = [];
  const counts: number[] = [];
  const steps = vector["steps"] as readonly LimitStep[];
  for (const step of steps) {
    for (let call = 0; call < (step.startCalls ?? 0); call++) {
      running.push(
        manager.ensure({
          image: input.image,
          policy: input.imagePullPolicy,
          podUid: `pod-${running.length}`,
        }),
      );
    }
    await settled();
    for (let call = 0; call < (step.unblockPulls ?? 0); call++) {
      blocked.shift()?.();
      await settled();
    }
    if (step.waitAll === true) await Promise.all(running);
    counts.push(pulls);
  }
  const outcomes = await Promise.all(running);
  return {
    actual: { counts, errors: outcomes.map((outcome) => (outcome.state === "failed" ? outcome.reason : "")) },
    expected: {
      counts: steps.map(({ expectPullImageCalls }) => expectPullImageCalls),
      errors: outcomes.map(() => vector["expectAllErrors"] ?? ""),
    },
  };
}

/** Resolves when everything that could run without being let go has run. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
}

async function pullWithSecrets(vector: Vector): Promise<Comparison> {
  const keyring = new Keyring();
  keyring.add(decodeDocument(JSON.stringify(vector["nodeDockerConfig"] ?? {}), "dockercfg"), STUB);
  const service = new StubImageService();
  const manager = new ImageManager({
    runtime: new ServiceRuntime(service),
    now: () => 0,
    keyring: () => keyring,
  });
  const outcome = await manager.ensure({
    image: text(vector, "image"),
    policy: text(vector, "imagePullPolicy"),
    podUid: "uid",
    pullSecrets: list<PlainSecret>(vector, "pullSecrets").map(toPullSecret),
  });
  const failed = outcome.state === "failed";
  const derived = (vector["derived"] ?? {}) as { readonly errorAndMessage?: string };
  const auth = service.auths.at(-1);
  return {
    actual: {
      auth: plainAuth(auth),
      failed,
      imageRef: vector["expectImageRef"] === undefined ? undefined : failed ? "" : outcome.imageRef,
      local: vector["expectLocalImages"] === undefined ? undefined : [...service.images.keys()],
      texts:
        derived.errorAndMessage === undefined ? undefined : [failed ? outcome.reason : "", outcome.message],
    },
    expected: {
      auth: vector["expectRuntimeAuth"] ?? null,
      failed: vector["expectError"] === true,
      imageRef: vector["expectImageRef"],
      local: vector["expectLocalImages"],
      texts: derived.errorAndMessage && [derived.errorAndMessage, derived.errorAndMessage],
    },
  };
}
