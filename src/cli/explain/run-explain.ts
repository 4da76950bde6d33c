/** `dray explain`: from what the command line names to what is printed. */
import { writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { resolve } from "node:path";

import type { AdmissionPlugin } from "../../admission/index.ts";
import type { HttpSend } from "../../client/index.ts";
import {
  explain,
  type Explanation,
  GivenObjects,
  isKubernetesObject,
  namespaceOf,
  type NodeSituation,
  podOf,
  type Surroundings,
  TokenRequests,
  type Workload,
} from "../../explain/index.ts";
import type { KubernetesClient, KubernetesObject, SecretObject } from "../../kubernetes/index.ts";
import type { CommandContext } from "../context.ts";
import { CliError, UsageError } from "../errors.ts";
import { findMaker } from "../find-maker.ts";
import { createStyle } from "../terminal/style.ts";
import { readVersion } from "../version.ts";
import { admissionChain } from "../webhook/admission-chain.ts";
import { admissionSettings } from "../webhook/options.ts";
import { exitOf } from "./exit-of.ts";
import {
  checkFolders,
  chooseNodes,
  type NodeFacts,
  readNodeFacts,
  readNodeSettings,
  readNodeSources,
} from "./node-side.ts";
import type { ExplainValues } from "./options.ts";
import { readFiles } from "./read-files.ts";
import { openRegistrySide } from "./registry-side.ts";

export interface RunExplainOptions {
  readonly values: ExplainValues;
  readonly positionals: readonly string[];
  /** Sends requests instead of sockets, for tests. */
  readonly send?: HttpSend | undefined;
}

interface Subjects {
  readonly workloads: readonly Workload[];
  readonly nodes: readonly NodeSituation[];
  readonly surroundings: Surroundings;
  readonly problems: readonly string[];
  readonly unseen: readonly string[];
  /** Whether manifests were left out that couldn't be read. */
  readonly incomplete: boolean;
  /** Undefined where providers get none. */
  readonly tokens?: TokenRequests | undefined;
}

const RATE = 20_000_000;

/** Resolves with the exit code. */
export async function runExplain(options: RunExplainOptions, context: CommandContext): Promise<number> {
  const { explanation, incomplete } = await makeExplanation(options, context);
  const { values } = options;
  if (values.html !== undefined) {
    const { printHtml } = await import("./print-html.ts");
    await writeFile(resolve(context.cwd, values.html), printHtml(explanation));
  }
  await print(explanation, values, context);
  // A manifest that nobody could read may hold anything.
  return exitOf(explanation) || (incomplete ? 1 : 0);
}

async function makeExplanation(
  { values, positionals, send }: RunExplainOptions,
  context: CommandContext,
): Promise<{ readonly explanation: Explanation; readonly incomplete: boolean }> {
  await using stack = new AsyncDisposableStack();
  await checkFolders([values["kubelet-root"], ...(values["hosts-dir"] ?? [])], context);
  const settings = await readNodeSettings(values, context);
  const facts = await readNodeFacts(values, settings, context);
  const { paths, targets } = sortOut(values, positionals, context);
  if (paths.length > 0 && values["service-account-tokens"] === true) {
    throw new UsageError("Option --service-account-tokens needs a cluster that makes them", "explain");
  }
  const problems: string[] = [];
  const subjects =
    paths.length > 0
      ? await fromFiles(paths, { values, facts }, context)
      : await fromCluster(targets, { values, settings, facts, stack }, context);
  if (subjects.workloads.length === 0 && subjects.problems.length === 0 && paths.length > 0) {
    const hint = paths.some((path) => findMaker(path) !== undefined)
      ? "; of a cluster's, name one with pod/NAME, or a namespace with -n"
      : "";
    const where = paths.map((path) => JSON.stringify(path)).join(", ");
    const { namespace } = values;
    const of = namespace === undefined ? "" : ` of namespace ${JSON.stringify(namespace)}`;
    throw new UsageError(`There is nothing that makes Pods${of} in ${where}${hint}`, "explain");
  }
  const registries = stack.use(await openRegistrySide(values, context, send));
  const { ensureSecretPulled } = settings;
  const sources = await readNodeSources(values, context, {
    track: ensureSecretPulled,
    tokens: subjects.tokens,
    onProblem: (problem) => void problems.push(problem),
  });
  const explanation = await explain(
    {
      ...subjects,
      everyNode: values.nodes,
      sources,
      admission: await readAdmission(values, context),
      hosts: registries.hosts,
      send: registries.send,
      ensureSecretPulled,
      rate: readRate(values.rate),
      now: () => context.clock.now(),
      userAgent: `dray/${await readVersion()}`,
    },
    { signal: context.signal },
  );
  return {
    explanation: { ...explanation, problems: [...explanation.problems, ...problems] },
    incomplete: subjects.incomplete,
  };
}

/** Nothing in a cluster is named so by a person. */
const LIKE_A_FILE = /\.(ya?ml|json)$|^\.{0,2}\/|\/$/i;

/**
 * A word is a file if there is one of that name, and otherwise something in a cluster. dray up keeps a folder `pods`
 * where it is started: beside an option about a cluster, the word for a kind means that.
 */
function sortOut(
  values: ExplainValues,
  words: readonly string[],
  { cwd }: CommandContext,
): { readonly paths: readonly string[]; readonly targets: readonly string[] } {
  const { namespace, kubeconfig, context } = values;
  const inCluster =
    values["all-namespaces"] === true || [namespace, kubeconfig, context].some((one) => one !== undefined);
  const isFile = (word: string): boolean =>
    word === "-" || (existsSync(resolve(cwd, word)) && !(inCluster && findMaker(word) !== undefined));
  const paths = [...(values.filename ?? []), ...words.filter(isFile)];
  const targets = words.filter((word) => !isFile(word));
  const lost = targets.find((word) => LIKE_A_FILE.test(word));
  if (lost !== undefined) {
    throw new CliError("UNREADABLE", `Cannot read ${JSON.stringify(lost)}: there is no such file or folder`);
  }
  if (paths.length > 0 && targets.length > 0) {
    throw new UsageError(
      `There is no file ${JSON.stringify(targets[0])}; explain files or a cluster, not both`,
      "explain",
    );
  }
  // kubectl's habit: `explain pod web`.
  const [type, name, more] = targets;
  if (
    type !== undefined &&
    name !== undefined &&
    more === undefined &&
    !type.includes("/") &&
    !name.includes("/")
  ) {
    return { paths, targets: [`${type}/${name}`] };
  }
  return { paths, targets: targets.length === 0 ? ["pods"] : targets };
}

async function fromFiles(
  paths: readonly string[],
  { values, facts }: { readonly values: ExplainValues; readonly facts: NodeFacts },
  context: CommandContext,
): Promise<Subjects> {
  const { objects, secrets, problems, incomplete } = await readFiles(paths, context);
  const known = objects.flatMap(({ object, file, line }) =>
    isKubernetesObject(object) ? [{ object, file, line }] : [],
  );
  const { namespace } = values;
  const placed = known.map((one) => ({ ...one, object: place(one.object, namespace) }));
  const surroundings = new GivenObjects({
    objects: placed.map(({ object }) => object),
    secrets: secrets.map(({ object }) => place(object, namespace)),
    complete: values.complete === true,
  });
  const nodes = chooseNodes(
    known.map(({ object }) => object).filter(({ kind }) => kind === "Node"),
    facts,
    values,
  );
  const workloads = placed.filter(
    ({ object }) =>
      podOf(object) !== undefined && (namespace === undefined || namespaceOf(object) === namespace),
  );
  return { workloads: withoutMade(workloads), nodes, surroundings, problems, incomplete, unseen: [] };
}

/** As kubectl takes files beside `-n`: what names no namespace is of that one. */
function place<T extends KubernetesObject | SecretObject>(object: T, namespace: string | undefined): T {
  if (namespace === undefined || (object.metadata.namespace ?? "") !== "") return object;
  return { ...object, metadata: { ...object.metadata, namespace } };
}

/** Of Pods and what made them, the Pods tell more. */
function withoutMade(workloads: readonly Workload[]): readonly Workload[] {
  const makers = new Set(
    workloads.flatMap(({ object }) =>
      (object.metadata.ownerReferences ?? []).map(
        ({ kind, name }) => `${kind}/${object.metadata.namespace ?? "default"}/${name}`,
      ),
    ),
  );
  return workloads.filter(
    ({ object }) =>
      !makers.has(`${object.kind}/${object.metadata.namespace ?? "default"}/${object.metadata.name ?? ""}`),
  );
}

async function fromCluster(
  targets: readonly string[],
  work: {
    readonly values: ExplainValues;
    readonly settings: Awaited<ReturnType<typeof readNodeSettings>>;
    readonly facts: NodeFacts;
    readonly stack: AsyncDisposableStack;
  },
  context: CommandContext,
): Promise<Subjects> {
  const { openLive } = await import("./live.ts");
  const live = work.stack.use(await openLive(targets, work, context));
  const { workloads, nodes, surroundings, unseen, client } = live;
  const tokens = work.values["service-account-tokens"] === true ? await requestTokens(client) : undefined;
  return { workloads, nodes, surroundings, unseen, tokens, problems: [], incomplete: false };
}

async function requestTokens(client: KubernetesClient): Promise<TokenRequests> {
  const { PersonTokens } = await import("./person-tokens.ts");
  return new TokenRequests(new PersonTokens(client));
}

async function readAdmission(
  values: ExplainValues,
  context: CommandContext,
): Promise<readonly AdmissionPlugin[]> {
  const config = values["admission-config"];
  if (config === undefined) return [];
  // Pins would need to be looked up before the Pod is there; what they lead to is the image's own digest.
  return admissionChain(await admissionSettings({ config }, context)).all;
}

function readRate(text: string | undefined): number {
  if (text === undefined) return RATE;
  const [, amount, unit = ""] = /^([1-9][0-9]{0,11})([kMG]?)$/.exec(text) ?? [];
  if (amount === undefined) {
    throw new UsageError(
      `Option --rate does not take ${JSON.stringify(text)}: write 65536, 500k or 20M`,
      "explain",
    );
  }
  return Number(amount) * ({ "": 1, k: 1e3, M: 1e6, G: 1e9 }[unit] ?? 1);
}

async function print(
  explanation: Explanation,
  values: ExplainValues,
  context: CommandContext,
): Promise<void> {
  const { stdout, env } = context;
  if (values.json === true) {
    await stdout.write(`${JSON.stringify(explanation)}\n`);
    return;
  }
  const { printTree } = await import("./print-tree.ts");
  if (explanation.pods.length === 0 && explanation.problems.length === 0) {
    await stdout.write("No Pod there waits for an image\n");
    return;
  }
  const style = createStyle(stdout, env);
  const width = stdout.isTTY ? stdout.columns - 1 : 120;
  const lines = printTree(explanation, { width, style, quiet: values.quiet === true });
  await stdout.write(lines.map((line) => `${line}\n`).join(""));
}
