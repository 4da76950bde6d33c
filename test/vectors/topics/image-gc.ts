import {
  type Candidate,
  checkGcPolicy,
  formatSize,
  type GcPolicy,
  ImageCollector,
  type ImageFileSystem,
  imageSizeBucket,
  ImagesError,
  NEVER,
  type NodeEvent,
  type ServiceImage,
  type UsedImage,
} from "../../../src/images/index.ts";
import { type Comparison, gate, list, type Topic, type Vector } from "../topic.ts";

/** When a case begins. Small, so that a nanosecond still counts in a number of milliseconds. */
const T0 = 1_000_000;

interface PlainImage {
  readonly id: string;
  readonly size: number;
  readonly pinned?: boolean;
  readonly runtimeHandler?: string;
}

type PlainUse = string | { readonly imageID: string; readonly runtimeHandler?: string };

interface Step {
  readonly op: string;
  readonly [member: string]: unknown;
}

export const topic: Topic = {
  async check(vector) {
    switch (vector["operation"]) {
      case "imageSizeBucket":
        return { actual: imageSizeBucket(vector["sizeBytes"] as number), expected: vector["expect"] };
      case "formatSize":
        return { actual: formatSize(vector["sizeBytes"] as number), expected: vector["expect"] };
      case "newImageGCManager":
        return {
          actual: await messageOf(() => checkGcPolicy(policyOf(vector))),
          expected: vector["error"],
        };
      case undefined:
        return await new Scenario(vector).run();
      default:
        return undefined;
    }
  },
};

class Scenario {
  readonly #vector: Vector;
  readonly #collector: ImageCollector;
  readonly #events: NodeEvent[] = [];
  readonly #removed: string[] = [];
  /** When images had last been used before the step at hand. */
  #before: ReadonlyMap<string, number> = new Map();
  #now = T0;
  #images: readonly PlainImage[];
  #used: readonly PlainUse[];
  #disk: ImageFileSystem = {};
  #diskError: string | undefined;
  #candidates: readonly Candidate[] = [];
  readonly #actual: Record<string, unknown>[] = [];
  readonly #expected: Record<string, unknown>[] = [];

  constructor(vector: Vector) {
    this.#vector = vector;
    this.#images = list(vector, "images");
    this.#used = list(vector, "containers");
    this.#collector = new ImageCollector({
      images: {
        list: () => Promise.resolve(this.#images.map(serviceImage)),
        remove: (id) => {
          this.#images = this.#images.filter((image) => image.id !== id);
          this.#removed.push(id);
          return Promise.resolve();
        },
        fileSystem: async () => {
          if (this.#diskError !== undefined) throw new ImagesError("GC_FAILED", this.#diskError);
          return this.#disk;
        },
      },
      listUsed: () => Promise.resolve(this.#used.map(usedImage)),
      policy: policyOf(vector),
      now: () => this.#now,
      byHandler: gate(vector, "RuntimeClassInImageCriApi"),
      onEvent: (event) => void this.#events.push(event),
    });
  }

  async run(): Promise<Comparison | undefined> {
    for (const step of list<Step>(this.#vector, "steps")) {
      const results = await this.#take(step);
      if (results === undefined) return undefined;
      this.#compare(step, results);
    }
    return { actual: this.#actual, expected: this.#expected };
  }

  async #take(step: Step): Promise<Record<string, unknown> | undefined> {
    const collector = this.#collector;
    this.#before = new Map(collector.records.map(({ key, lastUsed }) => [key, lastUsed]));
    switch (step.op) {
      case "setImages":
        this.#images = list(step, "images");
        return {};
      case "setContainers":
        this.#used = list(step, "containers");
        return {};
      case "advanceClock":
        this.#now += (step["seconds"] as number) * 1000;
        return {};
      case "startMonitoring":
        await collector.detect(this.#now);
        return {};
      case "expectRecords":
        return {};
      case "detectImages":
        await collector.detect(this.#moment(step["detectTime"] ?? "now"));
        return {};
      case "deleteUnusedImages":
        return { error: await messageOf(() => collector.deleteUnused()) };
      case "garbageCollect":
        this.#setDisk(step);
        return { error: await messageOf(() => collector.collect(this.#moment(step["beganGC"] ?? "now"))) };
      case "evictionOrder":
        this.#candidates = await collector.evictionOrder(this.#moment(step["freeTime"] ?? "now"));
        return { candidates: this.#candidates.length };
      case "setCandidateLastUsed":
        this.#candidates = this.#candidates.map((candidate, index) =>
          index === step["index"] ? { ...candidate, lastUsed: this.#moment(step["time"]) } : candidate,
        );
        return {};
      case "freeOldImages": {
        const freeTime = this.#moment(step["freeTime"] ?? "now");
        const times = { freeTime, beganGc: this.#moment(step["beganGC"] ?? "now") };
        const candidates = this.#candidates;
        let remaining = candidates;
        const error = await messageOf(async () => (remaining = await collector.freeOld(candidates, times)));
        this.#candidates = remaining;
        return { error, remaining: remaining.length };
      }
      case "freeSpace": {
        const freeTime = this.#moment(step["freeTime"] ?? "now");
        const candidates = await collector.evictionOrder(freeTime);
        const bytes = step["bytesToFree"] as number;
        let freed = 0;
        const error = await messageOf(async () => {
          freed = (await collector.freeSpace(bytes, { candidates, freeTime })).bytes;
        });
        return { error, freed };
      }
      default:
        return undefined;
    }
  }

  /** What isn't known is left out; an error may stand among the numbers, in their place, or beside them. */
  #setDisk(step: Step): void {
    const stats = step["fsStats"] ?? {};
    const {
      capacityBytes,
      availableBytes,
      error = step["fsStatsError"] ?? undefined,
    } = (typeof stats === "string" ? { error: stats } : stats) as Readonly<Record<string, unknown>>;
    this.#disk = {
      ...(typeof capacityBytes === "number" && { capacityBytes }),
      ...(typeof availableBytes === "number" && { availableBytes }),
    };
    this.#diskError = typeof error === "string" ? error : error ? "the file system is not known" : undefined;
  }

  #compare(step: Step, results: Record<string, unknown>): void {
    const actual: Record<string, unknown> = {};
    const expected: Record<string, unknown> = {};
    const add = (member: string, value: unknown, wanted: unknown = step[member]): void => {
      if (step[member] === undefined) return;
      actual[member] = value;
      expected[member] = wanted;
    };
    const error = results["error"];
    const derived = (step["derived"] ?? {}) as Readonly<Record<string, unknown>>;
    add("expectError", error);
    add("expectErrorAny", error !== "");
    if (derived["error"] !== undefined) [actual["error"], expected["error"]] = [error, derived["error"]];
    add("expectFreed", results["freed"]);
    add("expectCandidates", results["candidates"]);
    add("expectRemainingCandidates", results["remaining"]);
    add("expectImageCount", this.#images.length);
    add("expectRemoved", [...this.#removed]);
    add("expectRecordCount", this.#collector.records.length);
    add("expectEvents", this.#events.splice(0));
    add("expectErrorContains", String(error).includes(String(step["expectErrorContains"])), true);
    const listed =
      step.op === "expectRecords" ? (step["expectRecords"] ?? step["records"]) : step["expectRecords"];
    const records = listed as readonly Readonly<Record<string, unknown>>[] | undefined;
    if (records !== undefined) [actual["records"], expected["records"]] = this.#compareRecords(records);
    this.#actual.push(actual);
    this.#expected.push(expected);
  }

  #compareRecords(wanted: readonly Readonly<Record<string, unknown>>[]): [unknown, unknown] {
    const found = new Map(this.#collector.records.map((record) => [record.key, record]));
    const expected = wanted.map((record) => ({
      ...record,
      ...("firstDetected" in record && { firstDetected: this.#moment(record["firstDetected"]) }),
      ...("lastUsed" in record && { lastUsed: this.#lastUse(record) }),
    }));
    const actual = wanted.map((record) => {
      const key = keyOf(record);
      const members = { ...found.get(key), id: record["id"] };
      return Object.fromEntries(
        Object.keys(record).map((name) => [name, members[name as keyof typeof members]]),
      );
    });
    return [
      [actual, found.size],
      [expected, wanted.length],
    ];
  }

  /** A moment, or a word such as `unchanged` for the one before the step. */
  #lastUse(record: Readonly<Record<string, unknown>>): number | undefined {
    const moment = this.#moment(record["lastUsed"]);
    return Number.isNaN(moment) ? this.#before.get(keyOf(record)) : moment;
  }

  /** `zero`, `now` and `T0`, each with seconds or nanoseconds added. */
  #moment(value: unknown): number {
    const [base = "", ...added] = String(value).split("+");
    const starts: Readonly<Record<string, number>> = { zero: NEVER, now: this.#now, T0 };
    let moment = starts[base] ?? Number.NaN;
    for (const part of added) {
      moment += Number.parseFloat(part) * (part.endsWith("ns") ? 1e-6 : part.endsWith("ms") ? 1 : 1000);
    }
    return moment;
  }
}

function keyOf(record: Readonly<Record<string, unknown>>): string {
  return String(record["key"] ?? record["id"]);
}

function policyOf(vector: Vector): GcPolicy {
  const policy = (vector["policy"] ?? {}) as Readonly<Record<string, number>>;
  return {
    highThresholdPercent: policy["highThresholdPercent"] ?? 0,
    lowThresholdPercent: policy["lowThresholdPercent"] ?? 0,
    minAge: (policy["minAgeSeconds"] ?? 0) * 1000,
    maxAge: (policy["maxAgeSeconds"] ?? 0) * 1000,
  };
}

function serviceImage({ id, size, pinned = false, runtimeHandler = "" }: PlainImage): ServiceImage {
  const spec = { image: id, annotations: [], runtimeHandler };
  return { id, size, pinned, repoTags: [], repoDigests: [], spec };
}

function usedImage(use: PlainUse): UsedImage {
  return typeof use === "string"
    ? { imageId: use }
    : { imageId: use.imageID, runtimeHandler: use.runtimeHandler };
}

/** The message of a deliberate error, empty without one. */
async function messageOf(act: () => unknown): Promise<string> {
  try {
    await act();
    return "";
  } catch (error) {
    if (error instanceof ImagesError) return error.message;
    throw error;
  }
}
