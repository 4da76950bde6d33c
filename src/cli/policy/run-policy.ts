/** `dray policy`: from manifests to what admission makes of them, printed or written back. */
import { readFile, stat } from "node:fs/promises";
import { resolve } from "node:path";

import { isKubernetesObject, namespaceOf, podOf } from "../../explain/index.ts";
import { writeFileAtomically } from "../../internal/atomic-write.ts";
import type { KubernetesObject } from "../../kubernetes/index.ts";
import type { CommandContext } from "../context.ts";
import { CliError, UsageError } from "../errors.ts";
import { decodeManifest, decodeUtf8 } from "../explain/manifest-text.ts";
import { readFiles } from "../explain/read-files.ts";
import { describeError } from "../report-error.ts";
import { printable } from "../terminal/width.ts";
import { admissionChain } from "../webhook/admission-chain.ts";
import type { AdmissionSettings } from "../webhook/settings-file.ts";
import { describeJudgement } from "./describe.ts";
import { fixText } from "./fix-text.ts";
import { judge, type Judgement } from "./judge.ts";
import { openDigests, type OpenDigestsOptions } from "./open-digests.ts";

export interface RunPolicyOptions {
  readonly files: readonly string[];
  readonly settings: AdmissionSettings;
  readonly connection: OpenDigestsOptions["connection"];
  readonly credentials: OpenDigestsOptions["credentials"];
  readonly root: string;
  /** The files are all there is. */
  readonly complete: boolean;
  readonly output: "text" | "json" | "yaml";
  /** Write what would be changed into the files. */
  readonly fix: boolean;
  /** What ends in exit code 1. */
  readonly failOn: "refused" | "warning" | "change";
}

export interface Judged extends Judgement {
  readonly file: string;
  readonly line: number;
}

/** @returns the exit code */
export async function runPolicy(options: RunPolicyOptions, context: CommandContext): Promise<number> {
  const { settings, complete, output, fix, failOn } = options;
  if (fix && options.files.includes("-"))
    throw new UsageError("Option --fix can't change standard input", "policy");
  await using stack = new AsyncDisposableStack();
  // Standard input is read once, and may be printed again.
  const texts = new Map<string, string>();
  const { objects, secrets, problems, incomplete } = await readFiles(
    options.files,
    rememberingInput(context, texts),
  );
  const known = objects.flatMap(({ object, file, line }) =>
    isKubernetesObject(object) ? [{ object, file, line }] : [],
  );
  const account = (namespace: string, name: string): KubernetesObject | undefined =>
    known.find(
      ({ object }) =>
        object.kind === "ServiceAccount" &&
        namespaceOf(object) === namespace &&
        object.metadata.name === name,
    )?.object;
  const digests =
    settings.pinning === undefined
      ? undefined
      : await openDigests(
          { ...options, pinning: settings.pinning, secrets: secrets.map(({ object }) => object), account },
          context,
          stack,
        );
  const { all: chain } = admissionChain(settings, { digests });
  const judged: Judged[] = [];
  for (const { object, file, line } of known) {
    context.signal.throwIfAborted();
    const judgement = await judge(object, { chain, account, complete, signal: context.signal });
    if (judgement !== undefined) judged.push({ ...judgement, file, line });
  }
  if (
    judged.length === 0 &&
    problems.length === 0 &&
    !known.some(({ object }) => podOf(object) !== undefined)
  ) {
    throw new UsageError("There is nothing that makes Pods among these files", "policy");
  }
  for (const problem of problems) await context.stderr.write(`${printable(problem)}\n`);
  if (output === "json") await printJson(judged, problems, context);
  if (output === "text") await printText(judged, context);
  // The manifests alone don't say why they end in a failure.
  if (output === "yaml") await context.stderr.write(formatComplaints(judged));
  if (output === "yaml" || fix)
    await writeFixed(judged, { fix, texts, context, files: known.map(({ file }) => file) });
  return incomplete || judged.some((one) => fails(one, failOn)) ? 1 : 0;
}

function fails({ allowed, warnings, ...judgement }: Judgement, failOn: RunPolicyOptions["failOn"]): boolean {
  if (!allowed) return true;
  if (failOn === "refused") return false;
  return warnings.length > 0 || (failOn === "change" && changes({ allowed, warnings, ...judgement }));
}

/** Beyond what defaults would say anyway. */
export function changes({ images, pullSecrets }: Judgement): boolean {
  const meant = images.some(
    ({ becomes, policy }) => becomes !== undefined || (policy && policy.by !== "default"),
  );
  return meant || pullSecrets.length > 0;
}

async function printJson(
  judged: readonly Judged[],
  problems: readonly string[],
  { stdout }: CommandContext,
): Promise<void> {
  const objects = judged.map(({ images, ...rest }) => ({
    ...rest,
    images: images.map(({ slot, ...image }) => ({
      kind: slot.list,
      container: slot.name,
      field: slot.field,
      ...image,
    })),
  }));
  await stdout.write(`${JSON.stringify({ objects, problems })}\n`);
}

async function printText(judged: readonly Judged[], { stdout }: CommandContext): Promise<void> {
  const lines = judged.flatMap((one) => describeJudgement(one));
  const refused = judged.filter(({ allowed }) => !allowed).length;
  const changed = judged.filter((one) => one.allowed && changes(one)).length;
  const count = `${judged.length} ${judged.length === 1 ? "object" : "objects"}`;
  lines.push(`${count}: ${refused} refused, ${changed} changed`);
  await stdout.write(lines.map((line) => `${printable(line)}\n`).join(""));
}

function formatComplaints(judged: readonly Judged[]): string {
  const complaining = judged.filter(({ allowed, warnings }) => !allowed || warnings.length > 0);
  const lines = complaining.flatMap((one) => describeJudgement({ ...one, images: [], pullSecrets: [] }));
  return lines.map((line) => `${printable(line)}\n`).join("");
}

/** To the files, or one after the other to standard output. */
async function writeFixed(
  judged: readonly Judged[],
  work: {
    readonly fix: boolean;
    readonly texts: ReadonlyMap<string, string>;
    readonly files: readonly string[];
    readonly context: CommandContext;
  },
): Promise<void> {
  const { fix, texts, context } = work;
  // All of them first: a file that can't be written back stops everything before anything is written.
  const read = await Promise.all(
    [...new Set(work.files)].map(async (file) => ({
      file,
      before: texts.get(file) ?? (await readWhole(resolve(context.cwd, file), { file, fix })),
    })),
  );
  for (const [index, { file, before }] of read.entries()) {
    const path = resolve(context.cwd, file);
    const own = judged.filter((one) => one.file === file);
    const after = fixText(before, own);
    if (fix) {
      if (after === before) continue;
      context.signal.throwIfAborted();
      const { mode } = await stat(path);
      await writeFileAtomically(path, after, { mode: mode & 0o777 });
    } else {
      const gap = index > 0 && !after.startsWith("---") ? "---\n" : "";
      await context.stdout.write(`${gap}${after}${after.endsWith("\n") ? "" : "\n"}`);
    }
  }
}

async function readWhole(
  path: string,
  { file, fix }: { readonly file: string; readonly fix: boolean },
): Promise<string> {
  const bytes = await readFile(path);
  if (!fix) return decodeManifest(bytes);
  try {
    return decodeUtf8(bytes);
  } catch (cause) {
    const why = describeError(cause).message;
    throw new CliError("UNREADABLE", `Cannot change ${JSON.stringify(file)}: ${why}`, { cause });
  }
}

function rememberingInput(context: CommandContext, texts: Map<string, string>): CommandContext {
  const { stdin } = context;
  async function* remember(): AsyncGenerator<Uint8Array> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of stdin) {
      chunks.push(chunk);
      yield chunk;
    }
    texts.set("standard input", decodeManifest(Buffer.concat(chunks)));
  }
  return { ...context, stdin: Object.assign(remember(), { isTTY: false }) as CommandContext["stdin"] };
}
