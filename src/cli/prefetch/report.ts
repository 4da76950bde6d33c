/** What a prefetch says: lines for people as things happen, one document for programs at the end. */
import type { CriClient, EndpointVersion } from "../../cri/index.ts";
import type { DiskBudget, PullEstimate } from "../../images/index.ts";
import type { CommandContext } from "../context.ts";
import { ProgressLines } from "../terminal/progress.ts";
import { formatBytes, formatDuration } from "../terminal/units.ts";
import { printable } from "../terminal/width.ts";
import type { Brought } from "./bring.ts";
import type { Measured } from "./measure.ts";

/** A line for each image under way, where a person watches. */
export class PrefetchProgress {
  readonly #lines: ProgressLines | undefined;
  readonly #measured: Measured;
  readonly #ending = new AbortController();

  constructor(
    { stderr: output, clock, env }: CommandContext,
    options: { quiet: boolean; measured: Measured },
  ) {
    const lines = options.quiet ? undefined : new ProgressLines({ output, clock, env });
    this.#lines = lines?.active === true ? lines : undefined;
    this.#measured = options.measured;
  }

  /** Whether lines are drawn: then nothing else may be written meanwhile. */
  get active(): boolean {
    return this.#lines !== undefined;
  }

  start(image: string): void {
    const estimate = this.#measured.get(image);
    const total = estimate !== undefined && "contents" in estimate ? transferOf(estimate) : 0;
    // A line without an end to reach would show one that is reached.
    if (total > 0) this.#lines?.start(image, image, total);
    else this.#lines?.print(`Pulling ${printable(image)}`);
  }

  end({ image, state }: Brought): void {
    this.#lines?.finish(image, state === "pulled" ? "done" : state);
  }

  /** Only dray's own service tells how far a pull is; beside another the lines say no more than that it goes on. */
  async follow(client: CriClient): Promise<void> {
    if (this.#lines === undefined) return;
    const { signal } = this.#ending;
    try {
      for await (const { pull } of client.pulls.watch({ follow: true }, { signal })) {
        if (pull !== undefined) this.#lines.update(pull.image, Number(pull.bytes));
      }
    } catch {
      // What is shown while waiting is no reason for anything to fail.
    }
  }

  close(): void {
    this.#ending.abort();
    this.#lines?.close();
  }
}

function transferOf({ contents }: PullEstimate): number {
  return contents.reduce((sum, { size }) => sum + size, 0);
}

/** `docker.io/library/busybox:1.36  pulled  2.1 MB in 1.2s`, and below a failure why. */
export function describeBrought(brought: Brought): readonly string[] {
  const { image, state, size, duration, attempts } = brought;
  const name = printable(image);
  if (state === "pulled") return [`${name}  pulled  ${formatBytes(size)} in ${formatDuration(duration)}`];
  if (state === "present") return [`${name}  present  ${formatBytes(size)}`];
  return [
    `${name}  failed`,
    ...attempts.map(({ workload, reason, message }) => {
      const whom = workload === null ? "" : `${printable(workload)}: `;
      // Where the kubelet has no word for a failure, its text is the reason, too.
      const why = reason === message ? (message ?? "") : `${reason ?? ""}: ${message ?? ""}`;
      return `  ${whom}${printable(why)}`;
    }),
  ];
}

export function describeBudget(budget: DiskBudget, version: EndpointVersion): readonly string[] {
  const { transfer, disk, present, available, capacity, diskUnknown } = budget;
  const already = present === 0 ? "" : `, ${formatBytes(present)} of layers are here already`;
  const lines = [`To fetch: ${formatBytes(transfer)}, about ${formatBytes(disk)} on disk${already}`];
  if (available !== undefined && capacity !== undefined) {
    lines.push(`Free: ${formatBytes(available)} of ${formatBytes(capacity)}`);
  }
  if (diskUnknown) {
    lines.push(
      `Warning: the file system of ${printable(version.name)}'s images can't be seen from here, so what stays free wasn't checked`,
    );
  }
  return lines;
}

/** By how much, and what would help. */
export function describeExcess({ limits }: DiskBudget): string {
  return limits
    .filter(({ excess }) => excess > 0)
    .map(({ limit, allowed, wanted, excess }) => {
      const [what, option] =
        limit === "max-bytes" ? ["to fetch", "--max-bytes"] : ["for the disk", "--keep-free"];
      return `${formatBytes(wanted)} ${what}, where ${option} allows ${formatBytes(allowed)}: ${formatBytes(excess)} too much (${excess} bytes)`;
    })
    .join("; ");
}

export interface PrefetchFacts {
  readonly socket: string;
  readonly version: EndpointVersion;
  readonly budget: DiskBudget | undefined;
  readonly measured: Measured;
  readonly problems: readonly string[];
  readonly results: readonly (Brought & { readonly pinned: boolean | null })[];
  readonly dryRun: boolean;
}

/** As `--json` prints it. */
export function toJson(facts: PrefetchFacts): object {
  const { socket, version, budget, measured, problems, results, dryRun } = facts;
  return {
    endpoint: { socket, runtime: version.name, version: version.version, apiVersion: version.apiVersion },
    dryRun,
    budget:
      budget === undefined
        ? null
        : {
            ...budget,
            capacity: budget.capacity ?? null,
            available: budget.available ?? null,
            unknown: [...measured].flatMap(([image, one]) => ("why" in one ? [{ image, why: one.why }] : [])),
          },
    problems,
    images: results,
  };
}
