/**
 * What a running node says of itself, for those who ask later: `<data dir>/status.json`, replaced as a whole at every
 * change, so that readers never see half of it.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { writeFileAtomically } from "../../internal/atomic-write.ts";
import type { NodeStatusImage } from "../../images/index.ts";
import type { ContainerState, NodeState, PodState } from "../../node/index.ts";
import { CliError } from "../errors.ts";

/** Times in it are milliseconds since the epoch. */
export interface NodeStatus extends NodeState {
  readonly version: 2;
  readonly pid: number;
  /** False once the node ended in order. */
  readonly running: boolean;
  readonly startedAt: number;
  readonly updatedAt: number;
  /** The node's name. */
  readonly node: string;
  readonly folder: string;
  readonly registry: Listening | null;
  readonly api: { readonly url: string; readonly kubeconfig: string } | null;
  readonly metrics: Listening | null;
  /** As a Node's status has them: the largest, and not more than it is set to tell. */
  readonly images: readonly NodeStatusImage[];
}

export interface Listening {
  readonly address: string;
  readonly port: number;
}

export type StatusFacts = Pick<
  NodeStatus,
  "pid" | "startedAt" | "node" | "folder" | "registry" | "api" | "metrics"
>;

export interface StatusFileOptions {
  readonly dataDir: string;
  readonly facts: StatusFacts;
  readonly state: () => NodeState;
  readonly images: () => readonly NodeStatusImage[];
  readonly now: () => number;
  readonly onFailure: (error: unknown) => void;
}

/** Milliseconds between two writings, as progress comes by the hundred a second; longer where writing itself is long. */
const PAUSE = 250;
const PAUSE_PER_WRITING = 20;

const FILE = "status.json";

/** Writes the status of a node; closing it writes the last word. */
export class StatusFile implements AsyncDisposable {
  readonly #options: StatusFileOptions;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #failed = false;
  #lasted = 0;

  constructor(options: StatusFileOptions) {
    this.#options = options;
  }

  /** Something changed; changes that come together are written together. */
  touch(): void {
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined;
        void this.write(true);
      },
      Math.max(PAUSE, this.#lasted * PAUSE_PER_WRITING),
    );
  }

  async write(running: boolean): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write(running));
    await this.#writing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    await this.write(false);
  }

  async #write(running: boolean): Promise<void> {
    const { dataDir, facts, state, images, now, onFailure } = this.#options;
    const began = performance.now();
    const { pods, problems, events } = state();
    const status: NodeStatus = {
      version: 2,
      ...facts,
      running,
      updatedAt: now(),
      problems,
      events,
      images: images(),
      pods: pods.map(withoutCauses),
    };
    try {
      await writeFileAtomically(join(dataDir, FILE), `${JSON.stringify(status)}\n`, { mode: 0o600 });
      this.#failed = false;
    } catch (error) {
      // The node is worth more than its status; and once is enough to say so.
      if (!this.#failed) onFailure(error);
      this.#failed = true;
    }
    this.#lasted = performance.now() - began;
  }
}

/** @throws CliError `STATUS_UNKNOWN` */
export async function readStatus(dataDir: string): Promise<NodeStatus> {
  const path = join(dataDir, FILE);
  const fail = (why: string, cause: unknown): CliError =>
    new CliError("STATUS_UNKNOWN", `Cannot read the status of a node in ${JSON.stringify(dataDir)}: ${why}`, {
      cause,
    });
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    throw fail(missing ? "none ran here; start one with dray up" : `${FILE} can't be read`, cause);
  }
  try {
    const status = JSON.parse(text) as Partial<NodeStatus> | null;
    if (status?.version === 2 && Array.isArray(status.pods)) return status as NodeStatus;
  } catch (cause) {
    throw fail(`${FILE} is damaged`, cause);
  }
  throw fail(`${FILE} is of another version of dray`, undefined);
}

/** A node that was killed couldn't say that it ended. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process is alive, too.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** A decision holds what was thrown, which is nothing to write down. */
function withoutCauses(pod: PodState): PodState {
  return {
    ...pod,
    containers: pod.containers.map((container): ContainerState => {
      const { decision, ...rest } = container;
      return decision === undefined
        ? rest
        : { ...rest, decision: JSON.parse(JSON.stringify(decision, dropCause)) };
    }),
  };
}

function dropCause(key: string, value: unknown): unknown {
  return key === "cause" ? undefined : value;
}
