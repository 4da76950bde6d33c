/** `dray prefetch`: from the command line to an image service's last answer. */
import { type CriClient, EndpointImages, type EndpointVersion, openCriClient } from "../../cri/index.ts";
import { StaticSource, toCandidate } from "../../credentials/index.ts";
import type { DiskBudget, NodeKeyring } from "../../images/index.ts";
import { connect } from "../connect.ts";
import type { CommandContext } from "../context.ts";
import { CliError, UsageError } from "../errors.ts";
import { describeError } from "../report-error.ts";
import { dataDir, localPlatform, readCount, readSize } from "../settings.ts";
import { printable } from "../terminal/width.ts";
import { nodeCredentialOptions } from "../up/node-credential-options.ts";
import { NodeRegistry } from "../up/node-registry.ts";
import { type NodeCredentials, openNodeCredentials } from "../up/node-credentials.ts";
import { type Brought, bringImages } from "./bring.ts";
import { chooseEndpoint, namedEndpoint } from "./endpoint.ts";
import { checkBudget, type Measured, measureImages, presentLayers } from "./measure.ts";
import { type PrefetchValues, readKeepFree, readRatio } from "./options.ts";
import { containerdPins, folderPins, type Pins, pinsOf } from "./pins.ts";
import { describeBrought, describeBudget, describeExcess, PrefetchProgress, toJson } from "./report.ts";
import { findWanted, type WantedImage } from "./wanted.ts";

interface Endpoint {
  readonly socket: string;
  readonly client: CriClient;
  readonly images: EndpointImages;
  readonly version: EndpointVersion;
}

const KUBELET_ROOT = "/var/lib/kubelet";
const JOBS = 3;
/** Milliseconds in which a service has to say who it is. */
const PATIENCE = 10_000;
/** Images unpacked take about this much beside what travelled; dray's own service keeps layers as they came. */
const UNPACK_RATIO = 2.5;

/** Resolves with the exit code. */
export async function runPrefetch(
  words: readonly string[],
  values: PrefetchValues,
  context: CommandContext,
): Promise<number> {
  using stack = new DisposableStack();
  const pinning = (["pin", "unpin", "list-pins"] as const).filter((name) => values[name] === true);
  if (pinning.length > 1) {
    const options = pinning.map((name) => `--${name}`).join(" and ");
    throw new UsageError(`Options ${options} contradict each other`, "prefetch");
  }
  if (values.unpin === true || values["list-pins"] === true) {
    return await changePins(words, { values, stack }, context);
  }
  const jobs = readCount(values.jobs, "--jobs") ?? JOBS;
  const limits = {
    maxBytes: readSize(values["max-bytes"], "--max-bytes"),
    keepFree: readKeepFree(values["keep-free"]),
    unpackRatio: readRatio(values["unpack-ratio"]),
  };
  const wanted = await findWanted(words, values, context);
  const warn = (message: string): void => void context.stderr.write(`Warning: ${printable(message)}\n`);
  for (const problem of wanted.problems) warn(problem);
  if (wanted.images.length === 0) {
    throw new UsageError("There is nothing to prefetch: name images, files or workloads", "prefetch");
  }
  const endpoint = await openEndpoint(values, { stack, context });
  // Whether pins can be set is known before anything is pulled for them.
  const pins = values.pin === true ? await pinsOf(endpoint, { values, stack }, context) : undefined;
  const credentials =
    values["no-node-credentials"] === true ? undefined : await openCredentials(values, { context, warn });
  const work: Work = { wanted: wanted.images, values, endpoint, credentials, jobs, context };
  const { measured, budget } =
    values["no-check"] === true ? { measured: new Map(), budget: undefined } : await plan(work, limits);
  if (budget !== undefined) {
    for (const [image, one] of measured)
      if ("why" in one) warn(`The size of ${image} isn't known: ${one.why}`);
    const lines = describeBudget(budget, endpoint.version);
    if (values.json !== true && values.quiet !== true) {
      await context.stderr.write(lines.map((line) => `${line}\n`).join(""));
    }
  }
  const facts = {
    ...endpoint,
    budget,
    measured,
    problems: wanted.problems,
    dryRun: values["dry-run"] === true,
  };
  if (facts.dryRun) return await printDryRun(facts, work);
  if (budget?.verdict === "exceeds") throw tooMuch(budget);
  const results = await bring(work, { measured, pins, warn });
  if (values.json === true) await context.stdout.write(`${JSON.stringify(toJson({ ...facts, results }))}\n`);
  return results.every(({ state, pinned }) => state !== "failed" && pinned !== false) ? 0 : 1;
}

interface Work {
  readonly wanted: readonly WantedImage[];
  readonly values: PrefetchValues;
  readonly endpoint: Endpoint;
  readonly credentials: NodeCredentials | undefined;
  readonly jobs: number;
  readonly context: CommandContext;
}

async function openEndpoint(
  values: PrefetchValues,
  { stack, context }: { readonly stack: DisposableStack; readonly context: CommandContext },
): Promise<Endpoint> {
  const socket = await chooseEndpoint(values, context);
  const client = stack.use(openCriClient(socket));
  const images = new EndpointImages(client);
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(PATIENCE)]);
  try {
    return { socket, client, images, version: await images.version({ signal }) };
  } catch (cause) {
    context.signal.throwIfAborted();
    const message = signal.aborted ? `no answer within ${PATIENCE / 1000}s` : describeError(cause).message;
    throw new CliError(
      "ENDPOINT_UNKNOWN",
      `Cannot use the CRI socket ${JSON.stringify(socket)}: ${message}`,
      {
        cause,
      },
    );
  }
}

async function openCredentials(
  values: PrefetchValues,
  { context, warn }: { readonly context: CommandContext; readonly warn: (message: string) => void },
): Promise<NodeCredentials> {
  return await openNodeCredentials(nodeCredentialOptions(values), {
    context,
    root: values["kubelet-root"] ?? KUBELET_ROOT,
    track: false,
    onWarning: warn,
  });
}

/** What would travel, and whether there is room for it. */
async function plan(
  { wanted, values, endpoint, credentials, jobs, context }: Work,
  limits: {
    readonly maxBytes: number | undefined;
    readonly keepFree: ((capacity: number) => number) | undefined;
    readonly unpackRatio: number | undefined;
  },
): Promise<{ readonly measured: Measured; readonly budget: DiskBudget }> {
  const { signal } = context;
  const { images, version } = endpoint;
  const keyring: NodeKeyring | undefined = credentials?.keyring;
  const absent = values.always === true ? wanted : await absentOf(wanted, { images, signal });
  await using access = await connect(values, [], context, { credentials: new StaticSource([]) });
  const registry = new NodeRegistry(access, { candidateOf: credentials?.candidateOf ?? toCandidate });
  const measured = await measureImages(absent, {
    registry: (reference, credential) => registry.repository(reference, credential),
    keyring,
    platform: localPlatform(),
    concurrency: jobs,
    signal,
  });
  const layers =
    absent.length === 0 ? new Set<string>() : await presentLayers(images, { concurrency: 8, signal });
  const unpackRatio = limits.unpackRatio ?? (version.name === "dray" ? 0 : UNPACK_RATIO);
  const budget = await checkBudget(measured, { ...limits, unpackRatio }, { images, layers, signal });
  return { measured, budget };
}

async function absentOf(
  wanted: readonly WantedImage[],
  { images, signal }: { readonly images: EndpointImages; readonly signal: AbortSignal },
): Promise<readonly WantedImage[]> {
  const there = await Promise.all(
    wanted.map(async ({ image }) => {
      const spec = { image, annotations: [], runtimeHandler: "" };
      // What can't be asked for is told of when it is its turn.
      return (await images.status(spec, { signal }).catch(() => undefined)) !== undefined;
    }),
  );
  signal.throwIfAborted();
  return wanted.filter((_, index) => there[index] !== true);
}

async function bring(
  { wanted, values, endpoint, credentials, jobs, context }: Work,
  {
    measured,
    pins,
    warn,
  }: {
    readonly measured: Measured;
    readonly pins: Pins | undefined;
    readonly warn: (message: string) => void;
  },
): Promise<readonly Kept[]> {
  const { signal, clock, stdout } = context;
  const progress = new PrefetchProgress(context, { quiet: values.quiet === true, measured });
  const following = endpoint.version.name === "dray" ? progress.follow(endpoint.client) : undefined;
  const print = async ({ pinned, ...brought }: Kept): Promise<void> => {
    if (values.json === true) return;
    const [first = "", ...more] = describeBrought(brought);
    const lines = [`${first}${pinned === true ? "  pinned" : ""}`, ...more];
    await stdout.write(lines.map((line) => `${line}\n`).join(""));
  };
  const kept = new Map<string, Kept>();
  await bringImages(wanted, {
    images: endpoint.images,
    keyring: credentials?.keyring,
    jobs,
    always: values.always === true,
    now: () => clock.now(),
    signal,
    onStart: (image) => progress.start(image),
    onEnd: async (brought) => {
      progress.end(brought);
      const isHere = pins !== undefined && brought.state !== "failed";
      const one = { ...brought, pinned: isHere ? await pin(brought, pins, warn) : null };
      kept.set(brought.image, one);
      if (!progress.active) await print(one);
    },
  }).finally(() => progress.close());
  await following;
  if (progress.active) for (const one of kept.values()) await print(one);
  return wanted.flatMap(({ image }) => kept.get(image) ?? []);
}

type Kept = Brought & { readonly pinned: boolean | null };

async function pin({ image }: Brought, pins: Pins, warn: (message: string) => void): Promise<boolean> {
  try {
    if ((await pins.set(image, true)) !== undefined) return true;
    warn(`${image} isn't pinned: ${pins.where} knows no image of that name`);
  } catch (error) {
    warn(`${image} isn't pinned: ${describeError(error).message}`);
  }
  return false;
}

async function printDryRun(
  facts: Omit<Parameters<typeof toJson>[0], "results">,
  { wanted, values, context }: Work,
): Promise<number> {
  const { measured, budget } = facts;
  const exceeds = budget?.verdict === "exceeds";
  if (values.json === true) {
    const images = wanted.map(({ image, askers }) => {
      const one = measured.get(image);
      const estimate = one !== undefined && "contents" in one ? one : undefined;
      return {
        image,
        workloads: askers.flatMap(({ workload }) => workload ?? []),
        state: budget === undefined ? null : one === undefined ? "present" : "absent",
        digest: estimate?.digest ?? null,
        size: estimate?.contents.reduce((sum, { size }) => sum + size, 0) ?? null,
      };
    });
    await context.stdout.write(`${JSON.stringify({ ...toJson({ ...facts, results: [] }), images })}\n`);
  } else {
    for (const { image } of wanted) {
      const one = measured.get(image);
      const state = budget === undefined ? "not checked" : one === undefined ? "present" : "absent";
      await context.stdout.write(`${printable(image)}  ${state}\n`);
    }
    if (budget !== undefined && exceeds)
      void context.stderr.write(`Doesn't fit: ${describeExcess(budget)}\n`);
  }
  return exceeds ? 8 : 0;
}

function tooMuch(budget: DiskBudget): CliError {
  return new CliError(
    "BUDGET_EXCEEDED",
    `Cannot bring these images: ${describeExcess(budget)}; nothing was pulled`,
  );
}

/** Without a socket that is named, the pins of dray's own service on this machine. */
async function changePins(
  words: readonly string[],
  { values, stack }: { readonly values: PrefetchValues; readonly stack: DisposableStack },
  context: CommandContext,
): Promise<number> {
  const { stdout } = context;
  const isNamed = namedEndpoint(values, context) !== undefined;
  const pins =
    values.containerd !== undefined
      ? containerdPins(values.containerd, context, stack)
      : isNamed
        ? await pinsOf(await openEndpoint(values, { stack, context }), { values, stack }, context)
        : folderPins(dataDir(values, context), context);
  if (values["list-pins"] === true) {
    const listed = await pins.list();
    if (values.json === true) await stdout.write(`${JSON.stringify({ where: pins.where, pins: listed })}\n`);
    else for (const { image } of listed) await stdout.write(`${printable(image)}\n`);
    return 0;
  }
  const { images } = await findWanted(words, values, context);
  if (images.length === 0) throw new UsageError("Name the images that are to be unpinned", "prefetch");
  const changed: { readonly image: string; readonly unpinned: boolean }[] = [];
  for (const { image } of images) changed.push({ image, unpinned: (await pins.set(image, false)) === true });
  if (values.json === true) await stdout.write(`${JSON.stringify({ where: pins.where, images: changed })}\n`);
  else {
    for (const { image, unpinned } of changed) {
      await stdout.write(`${printable(image)}  ${unpinned ? "unpinned" : "was not pinned"}\n`);
    }
  }
  return 0;
}
