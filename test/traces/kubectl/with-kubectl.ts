/**
 * Runs the recorded commands with the real kubectl, against our server over HTTPS, and compares what it prints. What
 * the rest of the cluster did comes from the recording: before a command what its questions were answered, and what a
 * watch told as soon as kubectl watches.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { openApiServer } from "../../../src/apiserver/index.ts";
import { StorageError } from "../../../src/apiserver/storage/errors.ts";
import type { ApiStorage } from "../../../src/apiserver/storage/storage.ts";
import { type Json, type JsonObject, list, member } from "./json.ts";
import { objectsOf } from "./known-objects.ts";
import { storageKey } from "./lab.ts";
import { comparePrinted, type Printed, steady } from "./printed.ts";
import {
  type CommandRecording,
  contentOf,
  type Exchange,
  readCommands,
  type StreamItem,
} from "./recording.ts";
import { asFarAsRight, type KnownDifference } from "./right-differences.ts";
import { isInitialEnd } from "./stream.ts";
import { nameOf, Surroundings } from "./surroundings.ts";
import { parseTarget } from "./target.ts";

export interface KubectlOutcome {
  readonly id: string;
  /** What could not be compared since the recording doesn't hold it, and why. */
  readonly uncovered: readonly string[];
  /** What differs and is right so, each with its reason. */
  readonly right: readonly KnownDifference[];
  readonly differences: readonly string[];
}

/** How long one command may take. */
const PATIENCE = 120_000;

/** In the order of the recorded run. @param kubectl the program */
export async function* replayWithKubectl(folder: string, kubectl: string): AsyncGenerator<KubectlOutcome> {
  const commands = readCommands(folder);
  const work = mkdtempSync(join(tmpdir(), "dray-kubectl-"));
  try {
    await using api = await openApiServer({ folder: join(work, "server") });
    const { kubeconfig } = await api.listen({ port: 0 });
    const watches = new WatchCounter(api.storage);
    const surroundings = new Surroundings(api.storage, commands);
    const replay = new KubectlReplay({
      kubectl,
      work,
      kubeconfig,
      storage: api.storage,
      watches,
      surroundings,
    });
    for (const command of commands) {
      // Before others' part is brought about: what the server tidies up at the same time would get in its way.
      await api.idle();
      yield await replay.replay(command);
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

interface Parts {
  readonly kubectl: string;
  readonly work: string;
  readonly kubeconfig: string;
  readonly storage: ApiStorage;
  readonly watches: WatchCounter;
  readonly surroundings: Surroundings;
}

class KubectlReplay {
  readonly #parts: Parts;
  /** Where kubectl keeps what it knows of the server. */
  #home = "";
  #homes = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async replay(command: CommandRecording): Promise<KubectlOutcome> {
    const uncovered: string[] = [];
    await this.#prepare(command);
    this.#parts.watches.reset();
    const ours = await this.#run(command, (why) => uncovered.push(why));
    await this.#learn(command);
    const tables = command.exchanges.flatMap((exchange) => tablesOf(exchange));
    const unknown = tables.flatMap((table) => this.#parts.surroundings.unknownRows(table));
    if (unknown.length > 0) {
      uncovered.push(`recorded nowhere in full: ${unknown.map((row) => nameOf(row)).join(", ")}`);
      const rows = tables.reduce((sum, table) => sum + list(table["rows"]).length, 0);
      if (rows === unknown.length) return { id: command.id, uncovered, right: [], differences: [] };
    }
    const lines = new Set(tables.flatMap((table) => linesOf(table, unknown)));
    let found = comparePrinted(command, ours, (line) => lines.has(line));
    if (command.exchanges.some((exchange) => isCutList(exchange))) {
      // Lines about what the recording cut off; lines that ours has too many are differences as ever.
      const missing = found.filter((one) => one.startsWith("stdout: - "));
      if (missing.length > 0) uncovered.push(`${missing.length} lines are about what the recording cut off`);
      found = found.filter((one) => !missing.includes(one));
    }
    return { id: command.id, uncovered, ...asFarAsRight(command, found) };
  }

  /** Once a command has changed something, what it reads of it afterwards is our server's business. */
  async #prepare({ exchanges }: CommandRecording): Promise<void> {
    const changed: { readonly resource: string; readonly name: string }[] = [];
    for (const exchange of exchanges) {
      const { storageName: resource, name } = parseTarget(exchange.path);
      const isTouched = changed.some(
        (one) => one.resource === resource && (one.name === name || one.name === "" || name === ""),
      );
      if (exchange.stream !== undefined || isTouched) continue;
      await this.#parts.surroundings.prepare(exchange);
      if (exchange.method !== "GET") changed.push({ resource, name });
    }
  }

  async #run(command: CommandRecording, skip: (why: string) => void): Promise<Printed> {
    const { kubectl, watches } = this.#parts;
    const child = spawn(kubectl, command.argv.slice(1), {
      cwd: this.#place(command),
      env: this.#environment(command),
      stdio: ["ignore", "pipe", "pipe"],
      timeout: PATIENCE,
      killSignal: "SIGKILL",
    });
    const printed = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream].setEncoding("utf8").on("data", (text: string) => (printed[stream] += text));
    }
    const ended = new AbortController();
    const closed = new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    }).finally(() => ended.abort());
    let isWhole = true;
    for (const exchange of command.exchanges) {
      if (exchange.stream === undefined) continue;
      if (!(await watches.next(ended.signal))) break;
      isWhole &&= await this.#feed(exchange.stream, skip);
    }
    if (command.interrupted !== undefined) {
      const lines = isWhole ? command.stdout.split("\n").length : 1;
      while (printed.stdout.split("\n").length < lines && !ended.signal.aborted) {
        await once(child.stdout, "data", { signal: ended.signal }).catch(() => {});
      }
      child.kill("SIGINT");
    }
    const exitCode = await closed;
    // Before kubectl has shown anything, nobody knows whether it has come so far as to hear of an interrupt.
    if (!isWhole && command.interrupted !== undefined) return command;
    return { ...printed, exitCode };
  }

  /** Does what a watch told of. @returns whether all of it could be done */
  async #feed(stream: readonly StreamItem[], skip: (why: string) => void): Promise<boolean> {
    const { lab, versions } = this.#parts.surroundings;
    let isInitial = stream.some(({ event }) => isInitialEnd(event.object));
    for (const [index, { event }] of stream.entries()) {
      const { type, object } = event;
      if (isInitialEnd(object)) isInitial = false;
      else if (isInitial || type === "BOOKMARK") continue;
      else if (type === undefined || object === undefined) {
        const gone = readDeletion(event.text);
        if (gone !== undefined) await repeatedly(() => lab.remove(gone));
      } else {
        const shown = object["kind"] === "Table" ? versions.find(metadataOf(object)) : object;
        if (shown === undefined) {
          skip(`event ${index + 1} shows an object that is recorded nowhere in full`);
          return false;
        }
        await repeatedly(() => (type === "DELETED" ? lab.remove(shown) : lab.bringTo(shown)));
      }
    }
    return true;
  }

  #place({ files }: CommandRecording): string {
    const place = join(this.#parts.work, "files");
    mkdirSync(place, { recursive: true });
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(place, path)), { recursive: true });
      writeFileSync(join(place, path), content);
    }
    return place;
  }

  #environment(command: CommandRecording): NodeJS.ProcessEnv {
    const { work, kubeconfig } = this.#parts;
    if (this.#home === "" || command.discoveryCache !== "warm") {
      this.#home = join(work, `home-${++this.#homes}`);
      mkdirSync(this.#home);
    }
    const config = /^The connection to the server \S+ was refused/m.test(command.stderr)
      ? withoutServer(kubeconfig, join(this.#home, "kubeconfig"))
      : kubeconfig;
    return { PATH: process.env["PATH"], HOME: this.#home, TMPDIR: work, KUBECONFIG: config, ...command.env };
  }

  /** Takes note of what the recorded answers said, and which of our objects they spoke of. */
  async #learn({ exchanges }: CommandRecording): Promise<void> {
    const { storage, surroundings } = this.#parts;
    for (const exchange of exchanges) {
      if (exchange.status >= 300) continue;
      for (const object of objectsOf(exchange)) {
        const key = storageKey(object);
        const stored = key === undefined ? undefined : await storage.find(key);
        if (stored === undefined) continue;
        surroundings.identities.learn(object, stored.object as JsonObject);
        surroundings.lab.remember(object);
      }
    }
  }
}

/** Notices when clients begin to watch. */
class WatchCounter {
  #open = 0;
  #notice = (): void => {};

  constructor(storage: ApiStorage) {
    const subscribe = storage.subscribe.bind(storage);
    storage.subscribe = (listener) => {
      const stop = subscribe(listener);
      this.#open++;
      this.#notice();
      return stop;
    };
  }

  /** Resolves once one more watch has begun; to `false` when none did before the signal. */
  async next(signal: AbortSignal): Promise<boolean> {
    while (this.#open === 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#notice = resolve;
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
    if (this.#open === 0) return false;
    this.#open--;
    return true;
  }

  /** Forgets watches that nobody waited for. */
  reset(): void {
    this.#open = 0;
  }
}

/** Of an event that the recording cut off: what was deleted. */
function readDeletion(text: string | undefined): JsonObject | undefined {
  const start =
    /"type": "DELETED", "object": \{"kind": "(\w+)", "apiVersion": "([\w./-]+)", "metadata": \{(.*)/s.exec(
      text ?? "",
    );
  if (start === null) return undefined;
  const [, kind = "", apiVersion = "", rest = ""] = start;
  const name = /"name": "([^"]+)"/.exec(rest)?.[1];
  const namespace = /"namespace": "([^"]+)"/.exec(rest)?.[1];
  if (name === undefined) return undefined;
  return { apiVersion, kind, metadata: { name, ...(namespace !== undefined && { namespace }) } };
}

/** The server itself may write in between. */
async function repeatedly(act: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof StorageError && error.code === "REVISION_CONFLICT")) throw error;
    }
  }
}

/** A kubeconfig whose server isn't there. */
function withoutServer(kubeconfig: string, path: string): string {
  const text = readFileSync(kubeconfig, "utf8").replace(/server: .*/, "server: https://127.0.0.1:1");
  writeFileSync(path, text);
  return path;
}

/** A list of objects of which the recording holds the beginning only. */
function isCutList({ method, path, responseBody }: Exchange): boolean {
  return (
    method === "GET" &&
    responseBody?.truncated === true &&
    parseTarget(path).name === "" &&
    !path.startsWith("/openapi/")
  );
}

function tablesOf(exchange: Exchange): readonly JsonObject[] {
  const answer = contentOf(exchange.responseBody);
  return answer?.["kind"] === "Table" ? [answer] : [];
}

/** As kubectl prints rows: with all columns, with the usual ones, and each of those below its namespace. */
function linesOf(table: JsonObject, rows: readonly JsonObject[]): readonly string[] {
  const columns = list(table["columnDefinitions"]);
  return list(table["rows"])
    .filter((row) => rows.includes(row))
    .flatMap((row) => {
      const cells = (row["cells"] as readonly string[]).map((cell) => `${cell}`);
      const usual = cells.filter((_, index) => columns[index]?.["priority"] === 0);
      const namespace = nameOf(row).replace(/\/.*/, "");
      return [cells, usual, [namespace, ...cells], [namespace, ...usual]].map((line) =>
        steady(line.join("  ")),
      );
    });
}

function metadataOf(table: JsonObject): Json | undefined {
  return member(list(table["rows"])[0], "object", "metadata");
}
