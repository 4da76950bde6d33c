/**
 * Layers applied to, and made from, real folders. Owners, devices and some attributes are root's to set: for anybody
 * else, cases that need root are right when they say what was left out.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { detectCompression } from "../../../src/oci/index.ts";
import { applyLayer, diffFolders, type DiffFoldersOptions } from "../../../src/unpack/index.ts";
import { type LeftOut, UnpackError } from "../../../src/unpack/index.ts";
import { removeTree } from "../../../src/unpack/remove-tree.ts";
import { describeFolder, streamOf } from "../../../src/unpack/testing.ts";
import { byOperation, pick, type Comparison, text, type Topic, type Vector } from "../topic.ts";
import { checkFolder, type FolderCheck } from "./layer-apply-checks.ts";
import { applyOperations, type Operation } from "./layer-apply-operations.ts";
import { listArchive, makeArchive, type VectorEntry } from "./layer-apply-tar.ts";

const IS_ROOT = process.geteuid?.() === 0;

export const topic: Topic = byOperation({
  detectCompression(vector) {
    const actual = detectCompression(Buffer.from(text(vector, "bytesHex"), "hex"));
    return { actual: actual === "none" ? "uncompressed" : actual, expected: vector["result"] };
  },
  apply: async (vector) => await inFolder(async (folder) => await apply(vector, folder)),
  diff: async (vector) => await inFolder(async (folder) => await diff(vector, folder)),
  roundtrip: async (vector) => await inFolder(async (folder) => await roundTrip(vector, folder)),
});

async function apply(vector: Vector, folder: string): Promise<Comparison | undefined> {
  const entries = vector["entries"] as readonly VectorEntry[];
  applyOperations(folder, vector["base"] as readonly Operation[]);
  let leftOut: readonly LeftOut[] = [];
  const error = await failureOf(async () => {
    ({ leftOut } = await applyLayer(streamOf(makeArchive(entries, vector["archiveHex"])), folder));
  });
  const checks = vector["checks"] as readonly FolderCheck[];
  const expected = { error: vector["error"], failed: [] as readonly string[] };
  const found = vector["error"] === "any" && error !== null ? "any" : error;
  // The note of such a case allows another result: what the entries say of the layer's own files isn't lost.
  if (vector["implementationSpecific"] === true)
    return { actual: { error: found }, expected: { error: expected.error } };
  const failed = error === null ? await checkFolder(folder, checks) : [];
  // What only root may set has to be told of instead.
  const told = leftOut.some(({ what }) => what !== "owner");
  if (!IS_ROOT && error === null && needsRoot(entries) && told) return { actual: told, expected: true };
  return { actual: { error: found, failed }, expected };
}

/** What the difference of two folders is, member by member as far as the case names them. */
async function diff(vector: Vector, folder: string): Promise<Comparison> {
  const [from, to] = [join(folder, "a"), join(folder, "b")];
  mkdirSync(from);
  applyOperations(from, vector["a"] as readonly Operation[]);
  copyFolder(from, to);
  applyOperations(to, vector["b"] as readonly Operation[]);
  const epoch = vector["sourceDateEpoch"];
  const tar = await makeDiff({
    from,
    to,
    sourceDateEpoch: typeof epoch === "string" ? Date.parse(epoch) / 1000 : undefined,
  });
  const expected = vector["entries"] as readonly VectorEntry[];
  const found = await listArchive(tar);
  const actual = found.map((entry, index) => pick({ ...entry }, Object.keys(expected[index] ?? entry)));
  return { actual, expected };
}

/** Every step's difference makes out of a copy of the last folder what the next one is. */
async function roundTrip(vector: Vector, folder: string): Promise<Comparison> {
  let before = join(folder, "0");
  mkdirSync(before);
  const [actual, expected]: unknown[][] = [[], []];
  for (const [index, step] of (vector["steps"] as readonly (readonly Operation[])[]).entries()) {
    const after = join(folder, String(index + 1));
    const made = join(folder, `made-${index + 1}`);
    copyFolder(before, after);
    applyOperations(after, step);
    copyFolder(before, made);
    await applyLayer(streamOf(await makeDiff({ from: before, to: after })), made);
    actual?.push(describeFolder(made));
    expected?.push(describeFolder(after));
    before = after;
  }
  return { actual, expected };
}

async function makeDiff(options: DiffFoldersOptions): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await diffFolders(options, (chunk) => void chunks.push(Buffer.from(chunk)));
  return Buffer.concat(chunks);
}

/** With times and links among the files, as `cp` does it. */
function copyFolder(from: string, to: string): void {
  const { status, stderr } = spawnSync("cp", ["-a", "--", from, to], { encoding: "utf8" });
  if (status !== 0) throw new Error(`Cannot copy ${from}: ${stderr}`);
}

/** The vectors' word for how something failed; `null` when it didn't. Anything but a deliberate error is a defect. */
async function failureOf(act: () => Promise<void>): Promise<string | null> {
  try {
    await act();
    return null;
  } catch (error) {
    if (!(error instanceof UnpackError)) throw error;
    if (error.code === "ARCHIVE_INVALID") return "invalid-archive";
    return error.code === "ARCHIVE_UNSUPPORTED" ? "unhandled-type" : error.code;
  }
}

function needsRoot(entries: readonly VectorEntry[]): boolean {
  return entries.some(({ type, pax }) => {
    const system = Object.keys(pax ?? {}).some((key) => key.startsWith("SCHILY.xattr.security."));
    return system || type === "block" || type === "char";
  });
}

async function inFolder<T>(act: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "dray-layer-"));
  try {
    return await act(folder);
  } finally {
    removeTree(folder);
  }
}
